"""MTCNN in PyTorch finds what the package finds, and nothing around it changes that."""

import json
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from errors import CheckpointError, ParamsError
from models.mtcnn import CELL_PX, Detection, FaceDetector, pyramid_scales, suppress
from models.mtcnn_inputs import build_pyramid, cut_patches
from models.mtcnn_package import PackageDetector, read_row
from models.mtcnn_weights import SHA256, read_weights, unpickle_arrays

ROOT = Path(__file__).resolve().parent.parent
STILLS = ROOT / "../shared/footage/stills"
REFERENCE = json.loads((ROOT / "tests/data/mtcnn_reference.json").read_text())
SURE = 0.95

needs_footage = pytest.mark.skipif(not STILLS.is_dir(), reason="the test footage is not beside the repository")


@needs_footage
@pytest.mark.parametrize("name", REFERENCE["stills"])
def test_finds_every_face_that_the_package_is_sure_of_at_the_same_place(name: str) -> None:
    picture = read_still(name)
    found = FaceDetector(REFERENCE["min_face_px"] / len(picture), REFERENCE["thresholds"]).find([picture])[0]
    for face in REFERENCE["stills"][name]["faces"]:
        if face["confidence"] >= SURE:
            same = max(found, key=lambda one: overlap(one.box, np.array(face["box"])))
            assert overlap(same.box, np.array(face["box"])) >= 0.95
            assert same.confidence == pytest.approx(face["confidence"], abs=0.01)
            np.testing.assert_allclose(same.five, face["five"], atol=0.5)


@needs_footage
def test_the_reference_holds_faces_and_pictures_without_any() -> None:
    n_sure = [sum(face["confidence"] >= SURE for face in still["faces"]) for still in REFERENCE["stills"].values()]
    assert sum(n_sure) >= 15
    for name in ("no_face.jpg", "no_face_signed.jpg"):
        assert FaceDetector(0.05).find([read_still(name)]) == [[]]


@needs_footage
def test_faces_come_by_falling_confidence_with_the_left_eye_first() -> None:
    faces = FaceDetector(0.05).find([read_still("multi_four.png")])[0]
    assert len(faces) == 4
    assert [face.confidence for face in faces] == sorted((face.confidence for face in faces), reverse=True)
    for face in faces:
        left_eye, right_eye, nose, left_corner, right_corner = face.five
        assert face.five.dtype == face.box.dtype == np.float32
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_corner[0] < nose[0] < right_corner[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_corner[1], right_corner[1])


@needs_footage
def test_a_face_does_not_depend_on_the_pictures_beside_it_or_on_the_threads() -> None:
    crowd, room = read_still("profile.png"), cv2.resize(read_still("small_faces.png"), (640, 360))
    dark = np.ascontiguousarray(crowd[:, ::-1] // 2)
    detector = FaceDetector(0.06)
    with threads(1):
        alone = [detector.find([picture])[0] for picture in (crowd, room, dark)]
    with threads(2):
        together = detector.find([dark, crowd, room, crowd])
    assert sum(map(len, alone)) >= 8
    for first, second in zip(alone, (together[1], together[2], together[0]), strict=True):
        assert_same_faces(first, second)
    assert_same_faces(together[1], together[3])


@needs_footage
def test_the_caller_keeps_its_threads() -> None:
    with threads(2):
        FaceDetector(0.5).find([read_still("single.png")])
        assert torch.get_num_threads() == 2


@needs_footage
def test_a_face_that_fills_a_small_frame_is_found_even_when_small_ones_are_wanted_too() -> None:
    """The package's pyramid stops before it gets there."""
    face = cv2.resize(read_still("single.png")[60:175, 165:280], (218, 218))
    found = FaceDetector(12 / 218).find([face])[0]
    assert [one for one in found if (one.box[2:] - one.box[:2]).max() > 150]


@needs_footage
def test_twice_the_picture_gives_twice_the_box() -> None:
    picture = read_still("single.png")
    small, large = (
        FaceDetector(0.1).find([cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)])[0]
        for side in (256, 512)
    )
    assert overlap(2 * small[0].box, large[0].box) > 0.9


def test_the_pyramid_begins_at_the_smallest_face_and_ends_at_the_nets_least_size() -> None:
    scales = pyramid_scales((480, 640), 0.1)
    assert scales[0] * 48 == pytest.approx(CELL_PX)
    assert int(480 * scales[-1]) >= CELL_PX
    assert int(480 * scales[-1] * 0.709) < CELL_PX
    assert pyramid_scales((480, 640), 1.0) == [pytest.approx(CELL_PX / 480)]


@pytest.mark.parametrize(("rows", "columns"), [(5, 7), (12, 18), (17, 25)])
def test_a_pyramids_pixel_is_the_mean_over_its_area(rows: int, columns: int) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (12, 18, 3), np.uint8)
    scale = rows / 12 + 1e-9
    assert int(18 * scale) == columns
    fine = picture.repeat(rows, axis=0).repeat(columns, axis=1).astype(float)
    expected = fine.reshape(rows, 12, columns, 18, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(build_pyramid(picture, [scale])[0] * 128 + 127.5, expected, atol=1e-4)


def test_a_patch_is_the_picture_inside_its_box_and_gray_outside() -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (2, 20, 30, 3), np.uint8)
    # The package's scale: the last pixel's center, not its edge, is the picture's whole length.
    box = np.array([[3, 4, 10, 11], [-4, 4, 3, 11]]) * np.array([30 / 29, 20 / 19] * 2)
    inside, across = cut_patches(pictures, np.array([1, 0]), box, 8) * 128 + 127.5
    np.testing.assert_allclose(inside, pictures[1, 4:12, 3:11], atol=1e-3)
    np.testing.assert_allclose(across[:, 4:], pictures[0, 4:12, :4], atol=1e-3)
    np.testing.assert_allclose(across[:, :4], 127.5)


def test_the_better_of_two_overlapping_boxes_stands_in_each_picture() -> None:
    box = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60], [1, 0, 11, 10]], float)
    kept = suppress(np.array([0, 0, 0, 1]), box, np.array([0.8, 0.9, 0.7, 0.6]), 0.5)
    assert kept.tolist() == [1, 2, 3]


def test_a_small_box_inside_a_large_one_goes_only_by_the_smaller_ones_area() -> None:
    box, score = np.array([[0, 0, 10, 10], [2, 2, 5, 5]], float), np.array([0.9, 0.8])
    assert suppress(np.zeros(2), box, score, 0.5).tolist() == [0, 1]
    assert suppress(np.zeros(2), box, score, 0.5, of_smaller=True).tolist() == [0]


def test_thousands_of_boxes_are_thinned_as_one_block_would_be() -> None:
    rng = np.random.default_rng(1)
    corner = rng.uniform(0, 300, (700, 2))
    box, score = np.hstack([corner, corner + rng.uniform(5, 30, (700, 2))]), rng.random(700)
    kept = suppress(np.zeros(700), box, score, 0.3)
    best_first = np.argsort(-score)
    expected = [
        i
        for rank, i in enumerate(best_first)
        if not any(overlap(box[i], box[j]) > 0.3 for j in best_first[:rank] if abs(box[i] - box[j]).max() < 60)
    ]
    assert kept.tolist() == expected


def test_weights_with_another_digest_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "pnet.lz4"
    path.write_bytes(b"something else")
    with pytest.raises(CheckpointError, match=r"pnet\.lz4: not the weights of mtcnn 1\.0\.0"):
        read_weights("pnet", path)


def test_a_pickle_that_names_a_function_is_refused() -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, ...]:
            return print, ("harm",)

    with pytest.raises(CheckpointError, match=r"refused to load builtins\.print"):
        unpickle_arrays(pickle.dumps([Harm()]))


def test_the_weights_are_those_of_the_installed_package() -> None:
    assert [len(read_weights(net)) for net in SHA256] == [13, 16, 21]


def test_the_packages_engine_without_tensorflow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mtcnn", None)
    with pytest.raises(ParamsError, match=r"detect\.engine: mtcnn needs TensorFlow .*--group tensorflow"):
        PackageDetector(0.1, [0.6, 0.7, 0.8])


def test_the_packages_rows_become_the_same_detections() -> None:
    face = read_row(np.array([0, 1, 2, 3, 4, 0.9, *range(10, 15), *range(20, 25)]))
    assert face.box.tolist() == [1, 2, 3, 4]
    assert face.confidence == 0.9
    assert face.five.tolist() == [[10, 20], [11, 21], [12, 22], [13, 23], [14, 24]]


def read_still(name: str) -> np.ndarray:
    picture: np.ndarray = cv2.cvtColor(cv2.imread(str(STILLS / name)), cv2.COLOR_BGR2RGB)
    return picture


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    shared = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return float(shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared))


def assert_same_faces(first: list[Detection], second: list[Detection]) -> None:
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a.box, b.box, atol=0.01)
        np.testing.assert_allclose(a.five, b.five, atol=0.01)
        assert a.confidence == pytest.approx(b.confidence, abs=1e-5)


@contextmanager
def threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
