"""The one careful reader of pictures (Pillow; no other module uses it): upright, RGB of 8 bits, damage never silent.

- Only plain files that hold PNG, TIFF or JPEG. What a file holds counts, not its name's ending.
- One picture a file: animations and files of several pages are refused. Of a JPEG with more pictures behind it, such as
  a depth map (MPO), the first is taken, as viewers do.
- A picture is turned and mirrored as its EXIF says. Gray and palettes become RGB, of 16 bits the upper eight are kept,
  transparency is dropped. CMYK, LAB and what has other bits are refused.
- Colors are taken for sRGB: no profile is applied. Notes say what was left out.
- PNG's checksums are verified. JPEG and TIFF have none: a cut file is found, not every changed byte.
"""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

from errors import ClipError
from vision.clip import check_size
from vision.clip_files import check_file
from vision.planes import Array

FORMATS = ("PNG", "TIFF", "JPEG")
_DEEP_GRAY = ("I;16", "I;16B", "I;16L")
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "YCbCr", *_DEEP_GRAY)
# What Pillow raises for files that are damaged or lie about themselves.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, MemoryError, OverflowError)

Image.MAX_IMAGE_PIXELS = None  # sizes are checked here, before a picture is decoded
# What it warns of (a broken tag that nobody asks for) is no matter of the picture, or an error follows.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True)
class StoredPicture:
    """A picture as RGB uint8 (H, W, 3), upright; how its file held it, such as `RGB of 8 bits`; its format; notes."""

    rgb: Array
    kind: str
    codec: str
    notes: tuple[str, ...]


def read_picture(path: Path) -> StoredPicture:
    """Decode a picture. Raises ClipError."""
    with _open(path) as image:
        image.verify()
    with _open(path) as image:
        kind, notes = _tell_kind(image), _list_notes(image)
        return StoredPicture(_to_rgb(image), kind, str(image.format).lower(), notes)


def read_notes(path: Path) -> tuple[str, ...]:
    """What is to be said of a picture, from its header alone. Raises ClipError."""
    with _open(path) as image:
        return _list_notes(image)


@contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    """A picture whose header is read and accepted; whatever goes wrong with it in the block is a ClipError."""
    check_file(path)
    try:
        with path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
            _check_kind(image, path)
            yield image
    except UnidentifiedImageError as error:
        what = "holds no PNG, TIFF or JPEG of 8 or 16 bits that can be read"
        raise ClipError(f"{path}: {what}; save the picture again") from error
    except ClipError:
        raise
    except _DAMAGE as error:
        raise ClipError(f"{path}: is damaged ({error}); copy or export the picture again") from error


def _check_kind(image: Image.Image, path: Path) -> None:
    check_size(*image.size, path)
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise ClipError(f"{path}: holds several pictures; save each as a file of its own")
    is_known = image.mode in _MODES and (image.mode not in _DEEP_GRAY or _has_16_bits(image))
    if not is_known:
        name = _raw_mode(image) if image.mode in _DEEP_GRAY else image.mode
        raise ClipError(f"{path}: is {name}, which is not read here; save it as RGB of 8 or 16 bits")


def _to_rgb(image: Image.Image) -> Array:
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _DEEP_GRAY:
        gray = (np.asarray(upright).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=2)
    wanted = "RGBA" if upright.has_transparency_data else "RGB"
    return np.ascontiguousarray(np.asarray(upright.convert(wanted))[..., :3])


def _tell_kind(image: Image.Image) -> str:
    """How a file holds its picture; Pillow's own word for it, and the bits of a sample."""
    return f"{image.mode.partition(';')[0]} of {16 if _has_16_bits(image) else 8} bits"


def _has_16_bits(image: Image.Image) -> bool:
    return ";16" in _raw_mode(image)


def _raw_mode(image: Image.Image) -> str:
    """The samples as they stand in the file, in Pillow's words, such as `RGB;16B`."""
    arguments = image.tile[0].args if isinstance(image, ImageFile.ImageFile) and image.tile else None
    raw = arguments[0] if isinstance(arguments, tuple) else arguments
    return str(raw or image.mode)


def _list_notes(image: Image.Image) -> tuple[str, ...]:
    notes = []
    if _has_16_bits(image):
        notes.append("of 16 bits the upper 8 are used")
    if image.has_transparency_data:
        notes.append("transparency is dropped")
    if image.format == "MPO":
        notes.append("of several pictures in the file the first is used")
    profile = _name_profile(image.info.get("icc_profile"))
    if profile is not None and "srgb" not in profile.lower():
        notes.append(f"the color profile {profile!a} is not applied, colors are taken for sRGB")
    return tuple(notes)


def _name_profile(data: bytes | None) -> str | None:
    """The name of an embedded ICC profile; None where there is none."""
    if not data:
        return None
    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(data))).strip()
    except (ImageCms.PyCMSError, OSError):
        return "unreadable"
