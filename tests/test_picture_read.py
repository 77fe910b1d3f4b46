"""The reader of pictures: upright, RGB of 8 bits, its notes say what was left out; damage is named, never shown."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from errors import ClipError
from tests.footage import patch
from tests.made_pictures import paint_rgb
from vision.picture_read import read_notes, read_picture
from vision.planes import Array

SIZE = (64, 96)
DEEP = "of 16 bits the upper 8 are used"
CLEAR = "transparency is dropped"
TURNS = Image.Transpose
# How a picture is stored that is to be turned back as EXIF's orientation says.
STORED = {
    2: TURNS.FLIP_LEFT_RIGHT,
    3: TURNS.ROTATE_180,
    4: TURNS.FLIP_TOP_BOTTOM,
    5: TURNS.TRANSPOSE,
    6: TURNS.ROTATE_90,
    7: TURNS.TRANSVERSE,
    8: TURNS.ROTATE_270,
}


@pytest.fixture
def rgb() -> Array:
    """A soft picture of many colors."""
    coarse = np.random.default_rng(5).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def _error(path: Path) -> str:
    with pytest.raises(ClipError) as caught:
        read_picture(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_comes_as_its_exif_says_it_is_to_be_shown(
    tmp_path: Path, rgb: Array, name: str, orientation: int
) -> None:
    shown = Image.fromarray(rgb)
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = shown if orientation == 1 else shown.transpose(STORED[orientation])
    turned.save(tmp_path / name, exif=exif, quality=100, subsampling=0)
    picture = read_picture(tmp_path / name)
    assert picture.rgb.shape == (*SIZE, 3)
    assert np.abs(picture.rgb.astype(int) - rgb).max() <= (6 if name == "a.jpg" else 0)
    assert (picture.kind, picture.notes) == ("RGB of 8 bits", ())


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_of_sixteen_bits_the_upper_eight_are_kept_and_a_note_says_so(tmp_path: Path, rgb: Array, name: str) -> None:
    deep = rgb.astype(np.uint16) << 8 | 200
    for stored, shown in ((deep[..., ::-1], rgb), (deep[..., 0], np.repeat(rgb[..., :1], 3, axis=2))):
        cv2.imwrite(str(tmp_path / name), stored)
        picture = read_picture(tmp_path / name)
        np.testing.assert_array_equal(picture.rgb, shown)
        assert picture.notes == read_notes(tmp_path / name) == (DEEP,)
        assert picture.kind.endswith("of 16 bits")


def _save_clear(path: Path, rgb: Array) -> Array:
    """With a transparency that grows to the right."""
    alpha = np.broadcast_to(np.linspace(255, 0, SIZE[1]).astype(np.uint8), SIZE)
    Image.fromarray(np.dstack([rgb, alpha])).save(path)
    return rgb


def _save_palette(path: Path, rgb: Array, transparency: bytes | None = None) -> Array:
    image = Image.fromarray(rgb).convert("P")
    options: dict[str, Any] = {} if transparency is None else {"transparency": transparency}
    image.save(path, **options)
    return np.asarray(image.convert("RGB"))


def _save_gray(path: Path, rgb: Array) -> Array:
    Image.fromarray(rgb[..., 0]).save(path)
    return np.repeat(rgb[..., :1], 3, axis=2)


KINDS: dict[str, tuple[Callable[[Path, Array], Array], tuple[str, ...]]] = {
    "transparent": (_save_clear, (CLEAR,)),
    "palette": (_save_palette, ()),
    "clear palette": (lambda path, rgb: _save_palette(path, rgb, bytes(range(256))), (CLEAR,)),
    "gray": (_save_gray, ()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_plain_rgb_becomes_it(tmp_path: Path, rgb: Array, kind: str) -> None:
    save, notes = KINDS[kind]
    shown = save(tmp_path / "a.png", rgb)
    picture = read_picture(tmp_path / "a.png")
    np.testing.assert_array_equal(picture.rgb, shown)
    assert picture.notes == notes


def test_what_a_file_holds_counts_not_its_name(tmp_path: Path, rgb: Array) -> None:
    Image.fromarray(rgb).save(tmp_path / "a.jpg", format="PNG")
    picture = read_picture(tmp_path / "a.jpg")
    assert (picture.codec, picture.rgb.tolist()) == ("png", rgb.tolist())


def test_a_color_profile_is_noted_unless_it_is_that_of_srgb(tmp_path: Path, rgb: Array) -> None:
    for name, profile, n_notes in (("s", ImageCms.createProfile("sRGB"), 0), ("x", ImageCms.createProfile("XYZ"), 1)):
        data = ImageCms.ImageCmsProfile(profile).tobytes()
        Image.fromarray(rgb).save(tmp_path / f"{name}.png", icc_profile=data)
        assert len(read_picture(tmp_path / f"{name}.png").notes) == n_notes
    assert "profile 'XYZ identity built-in' is not applied" in read_notes(tmp_path / "x.png")[0]
    Image.fromarray(rgb).save(tmp_path / "j.jpg", icc_profile=b"junk" * 40)
    assert "'unreadable' is not applied" in read_picture(tmp_path / "j.jpg").notes[0]


def test_of_a_jpeg_with_pictures_behind_it_the_first_is_taken(tmp_path: Path, rgb: Array) -> None:
    behind = Image.fromarray(255 - rgb)
    Image.fromarray(rgb).save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[behind], quality=100)
    picture = read_picture(tmp_path / "a.jpg")
    assert np.abs(picture.rgb.astype(int) - rgb).mean() < 5
    assert picture.notes == ("of several pictures in the file the first is used",)


def _lie(path: Path, rgb: Array) -> None:
    """A small file whose header speaks of a picture of 120 GB."""
    Image.fromarray(rgb).save(path, format="PNG")
    header = b"IHDR" + struct.pack(">II", 200_000, 200_000) + path.read_bytes()[24:29]
    patch(path, 12, header + struct.pack(">I", zlib.crc32(header)))


def _pages(path: Path, rgb: Array, form: str) -> None:
    image = Image.fromarray(rgb)
    image.save(path, format=form, save_all=True, append_images=[image.rotate(180)])


def _as(form: str, mode: str = "RGB") -> Callable[[Path, Array], None]:
    return lambda path, rgb: Image.fromarray(rgb).convert(mode).save(path, format=form)


REFUSED: dict[str, tuple[Callable[[Path, Array], object], str]] = {
    "CMYK": (_as("JPEG", "CMYK"), "is CMYK, which is not read here; save it as RGB"),
    "LAB": (_as("TIFF", "LAB"), "is LAB, which is not read here; save it as RGB"),
    "float": (_as("TIFF", "F"), "is F, which is not read here; save it as RGB"),
    "GIF": (_as("GIF"), "holds no PNG, TIFF or JPEG"),
    "BMP": (_as("BMP"), "holds no PNG, TIFF or JPEG"),
    "text": (lambda path, _: path.write_text("no picture\n" * 40), "holds no PNG, TIFF or JPEG"),
    "animation": (lambda path, rgb: _pages(path, rgb, "PNG"), "holds several pictures; save each"),
    "pages": (lambda path, rgb: _pages(path, rgb, "TIFF"), "holds several pictures; save each"),
    "tiny": (lambda path, rgb: Image.fromarray(rgb[:15]).save(path), "96 x 15 is too small"),
    "vast": (_lie, "200000 x 200000 is more than 64000000 pixels; scale it down"),
    "missing": (lambda *_: None, "cannot be opened (No such file or directory)"),
    "device": (lambda path, _: path.symlink_to("/dev/zero"), "is no plain file"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_read_is_refused_in_one_line(tmp_path: Path, rgb: Array, kind: str) -> None:
    make, said = REFUSED[kind]
    make(tmp_path / "a.png", rgb)
    assert _error(tmp_path / "a.png").startswith(said)


@pytest.mark.parametrize(
    ("form", "options"),
    [("PNG", {}), ("JPEG", {}), ("JPEG", {"progressive": True}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})],
)
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, before the error
def test_a_cut_file_is_an_error_and_no_gray_picture(
    tmp_path: Path, form: str, options: dict[str, Any], kept: float
) -> None:
    data = io.BytesIO()
    Image.fromarray(paint_rgb(85)).save(data, form, **options)
    (tmp_path / "a.png").write_bytes(data.getvalue()[: int(len(data.getvalue()) * kept)])
    assert _error(tmp_path / "a.png").startswith(("is damaged (", "holds no PNG, TIFF or JPEG"))


def test_a_png_whose_end_is_a_hole_is_found_by_its_checksums(tmp_path: Path, rgb: Array) -> None:
    Image.fromarray(rgb).save(tmp_path / "a.png")
    n_bytes = (tmp_path / "a.png").stat().st_size
    patch(tmp_path / "a.png", n_bytes // 2, bytes(n_bytes - n_bytes // 2))
    assert _error(tmp_path / "a.png").startswith("is damaged (")
