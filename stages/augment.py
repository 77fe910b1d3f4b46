"""An identity's face set -> its train and validation faces with masks: packed uint8 arrays (N, S, S, 4), RGB and mask;
beside them each face's expression.

A stored face is the model's view with a margin; geometry (moves, flips, the random warp) is drawn in training.
"""

import hashlib
import os
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # its import asks the package index for its version otherwise

import albumentations
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from disk import FREE_SOME, find_free, name_disk
from errors import FaceError, SizeError, one_line_errors
from stages.params import Augment, read_key, read_params
from stages.permission import require_consent
from vision.alignment import transform, view_matrix
from vision.crops import crop_picture, decode_png
from vision.expression import EXPRESSION, Expressions
from vision.faceset import read_faceset
from vision.masks import draw_inner_face, draw_mask, outline_ellipse, surround_regions
from vision.packed import FACE, FEATURE, MARGIN_RATIO, stored_px
from vision.tables import FACES, outlines, points, write_table
from vision.whole import whole_folder

GAP_RATIO = 0.2  # faces left out between train and validation, as a share of the validation's
EMPHASIZED = ("eyes", "mouth")  # regions that training may weigh more
_RECORD = [column.name for column in FACES.columns if column.name not in ("split", "row")]


def augment(faceset: Path, output: Path, params: Augment, seed: int) -> None:
    """Split the usable faces by time and write both splits' arrays.

    Raises SizeError above params.max_gb, and where the disk has less free.
    """
    records = _read_records(faceset)
    faces = split_by_time(records, params.validation_ratio, params.variants)
    n_train = int((faces["split"] == "train").sum()) * params.variants
    n_validation = int((faces["split"] == "validation").sum())
    side = stored_px(params.face_px)
    _check_size((n_train + n_validation) * side * side * 4 / 1e9, params.max_gb, output)
    with whole_folder(output) as folder:
        arrays = {
            split: _make_array(folder / f"{split}.npy", (n, side, side, 4))
            for split, n in (("train", n_train), ("validation", n_validation))
        }
        _fill(arrays, faceset, faces, params, seed)
        for array in arrays.values():
            array.flush()
        for split, variants in (("train", params.variants), ("validation", 1)):
            np.save(folder / f"{split}-expressions.npy", list_expressions(faces, split, variants))
        write_table(faces, folder / "faces.parquet", FACES)
    print(f"augment: {n_train} training and {n_validation} validation faces of {side} px", flush=True)


def split_by_time(records: pd.DataFrame, validation_ratio: float, variants: int) -> pd.DataFrame:
    """The FACES table of records in order of time: the last part is held out, a gap before it belongs to neither.

    So no neighbor of a training frame is in the validation. One face alone serves both.
    """
    n = len(records)
    n_validation = max(1, round(n * validation_ratio))
    n_gap = round(n_validation * GAP_RATIO) if n > 10 else 0
    n_train = max(1, n - n_validation - n_gap)
    split = np.full(n, "gap", object)
    split[:n_train] = "train"
    split[n - n_validation :] = "validation"
    row = np.full(n, -1, np.int64)
    row[:n_train] = np.arange(n_train) * variants
    row[n - n_validation :] = np.arange(n_validation)
    if n == 1:
        records, split, row = pd.concat([records] * 2), np.array(["train", "validation"]), np.zeros(2, np.int64)
    table = records.assign(split=split, row=row)
    return table[[column.name for column in FACES.columns]].reset_index(drop=True)


def list_expressions(faces: pd.DataFrame, split: str, variants: int) -> Expressions:
    """The expression of every row of a split's array: (N, 9)."""
    of_split = faces[faces["split"] == split].sort_values("row")
    return np.repeat(of_split[list(EXPRESSION)].to_numpy(np.float32), variants, axis=0)


def _read_records(faceset: Path) -> pd.DataFrame:
    pieces = [batch[[*_RECORD, "reason"]] for batch in read_faceset(faceset)]
    records = pd.concat(pieces)
    usable = records[records["reason"] == ""].sort_values(["clip", "frame"])
    if usable.empty:
        raise FaceError(f"{faceset}: none of its {len(records)} faces may be used; see the column reason")
    return usable[_RECORD]


def _check_size(gigabytes: float, max_gb: float, output: Path) -> None:
    print(f"augment: writes {gigabytes:.3f} GB", flush=True)
    if gigabytes > max_gb:
        raise SizeError(
            f"augment: the faces would take {gigabytes:.2f} GB, more than augment.max_gb, {max_gb}; "
            "lower augment.face_px or augment.variants, take fewer frames (interval_s), or raise max_gb"
        )
    if gigabytes * 1e9 > find_free(output):
        raise SizeError(f"augment: the faces take {gigabytes:.2f} GB, too much for {name_disk(output)}; {FREE_SOME}")


def _make_array(path: Path, shape: tuple[int, ...]) -> "np.memmap[Any, np.dtype[np.uint8]]":
    """An array in a file, whose space is taken at once: a mapped page that finds no space would end the process."""
    array = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def _fill(
    arrays: Mapping[str, NDArray[np.uint8]], faceset: Path, faces: pd.DataFrame, params: Augment, seed: int
) -> None:
    """Write every face of the table to its rows."""
    rows_of: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for face in faces[faces["split"] != "gap"].itertuples():
        rows_of.setdefault((face.clip_sha256, face.frame), []).append((face.split, face.row))
    change = _make_change(params)
    for batch in read_faceset(faceset):
        for record in batch.to_dict("records"):
            for split, row in rows_of.get((record["clip_sha256"], record["frame"]), ()):
                stored = _store_face(record, params)
                arrays[split][row] = stored
                for variant in range(1, params.variants if split == "train" else 1):
                    change.set_random_seed(_draw_seed(seed, record, variant))
                    changed = change(image=np.ascontiguousarray(stored[..., :3]))["image"]
                    arrays[split][row + variant] = np.dstack([changed, stored[..., 3]])


def _make_change(params: Augment) -> albumentations.Compose:
    """The changes of light and color that a variant may have; input and face of training share them."""
    light, hue = params.brightness_ratio, params.hue_shift
    return albumentations.Compose(
        [
            albumentations.RandomBrightnessContrast(brightness_limit=light, contrast_limit=light, p=1.0),
            albumentations.HueSaturationValue(
                hue_shift_limit=hue / 2, sat_shift_limit=200 * light, val_shift_limit=0, p=1.0
            ),  # OpenCV's hue counts half degrees
            albumentations.RandomGamma(gamma_limit=(100 - 100 * light, 100 + 100 * light), p=0.5),
        ]
    )


def _draw_seed(seed: int, record: dict[str, Any], variant: int) -> int:
    """A seed for one face's variant, whatever was drawn before."""
    key = f"{seed}/{record['clip_sha256']}/{record['frame']}/{variant}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "little")


def _store_face(record: dict[str, Any], params: Augment) -> NDArray[np.uint8]:
    """The view with its margin, and the mask as fourth channel (vision/packed.py): uint8 (S, S, 4)."""
    crop = decode_png(record["picture"])
    crop_px, side = crop.shape[0], stored_px(params.face_px)
    to_stored = view_matrix(crop_px, params.coverage_ratio * (1 + 2 * MARGIN_RATIO), side)
    landmarks, kind = points(record["landmarks"]), str(record["kind"])
    outline, *covers = (transform(to_stored, flat) for flat in outlines([record["outline"], *record["covers"]]))
    face = draw_inner_face(outline, covers, (side, side), params.face_px)
    mask = face * FACE
    regions = surround_regions(landmarks, kind)
    for ellipse in chain.from_iterable(regions[name] for name in EMPHASIZED if name in regions):
        feature = np.minimum(draw_mask(transform(to_stored, outline_ellipse(ellipse)), (side, side)), face)
        mask = np.maximum(mask, feature * FEATURE)
    return np.dstack([crop_picture(crop, to_stored, side), np.round(mask).astype(np.uint8)])


def main() -> None:
    with one_line_errors():
        key = read_key("augment")
        params = read_params()
        require_consent("augment", key, params)
        augment(Path(f"data/align/{key}/faceset"), Path(f"data/augment/{key}"), params.augment, params.seed)


if __name__ == "__main__":
    main()
