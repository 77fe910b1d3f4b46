"""The mean face is read with its place, and lands where the model looked."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.numpy import save_file

from errors import CheckpointError
from vision.crops import crop_picture
from vision.mean_face import MeanFace, read_mean_face

TO_CROP = np.array([[1.9, 0.3, -40.0], [-0.3, 1.9, -20.0]])
METADATA = {"size_px": "64", "coverage_ratio": "0.75", "crop_px": "128"}


def _scene() -> np.ndarray:
    rough = np.random.default_rng(3).integers(0, 256, (9, 12, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(rough, (120, 90), interpolation=cv2.INTER_CUBIC))


def _disc(x: float, y: float) -> np.ndarray:
    rows, columns = np.mgrid[:90, :120]
    return np.asarray((rows - y) ** 2 + (columns - x) ** 2 < 12**2)


def test_the_view_cut_out_and_pasted_back_is_the_picture_again() -> None:
    scene = _scene()
    face = MeanFace(np.zeros((96, 96, 3), np.uint8), 128, 0.75)
    view = crop_picture(scene, face.view_of(TO_CROP), 96)
    x, y = np.linalg.solve(TO_CROP[:, :2], np.array([63.5, 63.5]) - TO_CROP[:, 2])
    mask = _disc(x, y)
    black = np.zeros_like(scene)
    pasted = MeanFace(view, 128, 0.75).paste(black, TO_CROP, mask)
    assert not pasted[~mask].any()
    assert np.abs(pasted[mask].astype(int) - scene[mask]).mean() < 1.5


def test_pasting_leaves_its_input_alone() -> None:
    scene = _scene()
    kept = scene.copy()
    MeanFace(np.zeros((64, 64, 3), np.uint8), 128, 0.75).paste(scene, TO_CROP, _disc(40, 40))
    assert (scene == kept).all()


def test_a_role_is_read_with_its_place(tmp_path: Path) -> None:
    source = np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    save_file({"mean_face.source": source, "mean_face.target": 255 - source}, tmp_path / "c", metadata=METADATA)
    face = read_mean_face(tmp_path / "c", "target")
    assert (face.picture == 255 - source).all()
    assert (face.crop_px, face.coverage_ratio) == (128, 0.75)


@pytest.mark.parametrize(
    ("tensor", "metadata"),
    [
        (np.zeros((64, 64, 3), np.float32), METADATA),
        (np.zeros((64, 48, 3), np.uint8), METADATA),
        (np.zeros((64, 64, 3), np.uint8), {"size_px": "64"}),
        (np.zeros((64, 64, 3), np.uint8), {**METADATA, "crop_px": "wide"}),
        (np.zeros((64, 64, 3), np.uint8), {**METADATA, "crop_px": '"wide"'}),
    ],
)
def test_a_checkpoint_that_lacks_it_is_refused(tmp_path: Path, tensor: np.ndarray, metadata: dict[str, str]) -> None:
    save_file({"mean_face.source": tensor}, tmp_path / "c", metadata=metadata)
    with pytest.raises(CheckpointError, match=r"mean_face\.source"):
        read_mean_face(tmp_path / "c", "source")


def test_no_checkpoint_and_a_damaged_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="rerun train"):
        read_mean_face(tmp_path / "missing", "source")
    (tmp_path / "damaged").write_bytes(b"\x07" * 100)
    with pytest.raises(CheckpointError, match="rerun train"):
        read_mean_face(tmp_path / "damaged", "source")
