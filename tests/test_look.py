"""The look of a face: it survives light, size and expression, and two people have two."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.mtcnn import FaceDetector
from vision.clip_read import read_frames
from vision.color import to_lab, to_rgb
from vision.crops import Picture
from vision.look import MIN_LIKENESS, compare_looks, describe_face, likeness
from vision.planes import region_to_rgb
from vision.view import VIEW_PX, read_view, take_view

CLIPS = Path(__file__).resolve().parent.parent / "clips"
STEP = 20  # of the frames that are looked at


def _read_views(clip: Path) -> Iterator[Picture]:
    detector = FaceDetector(0.25)
    for frame in read_frames(clip):
        if frame.index % STEP == 0:
            height, width = frame.planes[0].shape
            (face, *_) = detector.find([region_to_rgb(frame.planes, frame.layout, (0, 0, width, height))])[0]
            yield read_view(take_view(frame, face.five), face.five).picture


@pytest.fixture(scope="module")
def performers() -> dict[str, list[Picture]]:
    """Views of both, in order of time."""
    return {name: list(_read_views(CLIPS / name / "take1.mp4")) for name in ("ada", "ben")}


def test_a_performer_looks_like_themselves_and_not_like_the_other(performers: dict[str, list[Picture]]) -> None:
    ada, ben = (np.stack([describe_face(view) for view in performers[name]]) for name in ("ada", "ben"))
    for looks in (ada, ben):
        assert likeness(looks[::2].sum(0), looks[1::2].sum(0)) > MIN_LIKENESS
    assert likeness(ada.sum(0), ben.sum(0)) < MIN_LIKENESS


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("darker", lambda view: view * 0.6),
        ("more contrast", lambda view: (view - 110) * 1.4 + 110),
        ("warmer", lambda view: view * np.array([1.2, 1.0, 0.75])),
        ("half the size", lambda view: cv2.resize(cv2.resize(view, None, fx=0.5, fy=0.5), (VIEW_PX, VIEW_PX))),
    ],
)
def test_a_look_survives(performers: dict[str, list[Picture]], name: str, change: object) -> None:
    for view in (views[0] for views in performers.values()):
        changed = change(view.astype(np.float32)).clip(0, 255).astype(np.uint8)  # type: ignore[operator]
        assert likeness(describe_face(view), describe_face(changed)) > MIN_LIKENESS, name


def test_the_color_of_the_hair_counts_and_that_of_the_light_hardly(performers: dict[str, list[Picture]]) -> None:
    view = performers["ben"][0]
    lab = to_lab(view)
    lit, dyed = lab.copy(), lab.copy()
    lit[..., 1:] += 15
    dyed[: VIEW_PX // 3, :, 1:] += 15
    look = describe_face(view)
    alike = [likeness(look, describe_face(to_rgb(changed))) for changed in (lit, dyed)]
    assert alike[0] > 0.97
    assert alike[1] < alike[0] - 0.02


def test_a_look_is_a_unit_vector_that_no_other_face_changes(performers: dict[str, list[Picture]]) -> None:
    views = performers["ada"]
    alone = describe_face(views[3])
    assert alone.dtype == np.float32
    assert np.linalg.norm(alone) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal([describe_face(view) for view in views][3], alone)


def test_a_picture_without_anything_in_it_has_a_look_too() -> None:
    look = describe_face(np.full((VIEW_PX, VIEW_PX, 3), 128, np.uint8))
    assert np.isfinite(look).all()


def test_each_is_compared_to_each() -> None:
    looks = [np.array(values, np.float32) for values in ((2.0, 0, 0), (1, 1, 0), (0, 0, 3))]
    expected = [[1, 0.5**0.5, 0], [0.5**0.5, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(compare_looks(looks), expected, atol=1e-6)
