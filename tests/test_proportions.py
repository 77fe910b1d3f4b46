"""Proportions: irises come to one size whatever the face's length, eyes to the canonical place."""

from pathlib import Path

import numpy as np
import pytest

from tests.turned_mesh import turned_mesh
from vision.alignment import Points, align_face, canonical_landmarks, compose, scale_of, transform
from vision.clip_read import read_frames
from vision.crops import decode_png
from vision.mesh import FaceMesh
from vision.proportions import eye_middles, fit_proportions
from vision.tables import TRUTH, read_table

ROOT = Path(__file__).resolve().parent.parent
CROP_PX = 256
EYES = canonical_landmarks("five")[:2] * CROP_PX - 0.5


def stretched(mesh: Points, length: float) -> Points:
    """A face so many times as long below the eyes, which stay as they are."""
    longer = mesh.copy()
    below = longer[:, 1] - eye_middles(mesh, "mesh")[:, 1].mean()
    below[468:] = 0
    longer[:, 1] += np.maximum(below, 0) * (length - 1)
    return longer


def eyes_in_crop(mesh: Points, own: np.ndarray) -> Points:
    return transform(compose(own, align_face(mesh, "mesh", CROP_PX)), eye_middles(mesh, "mesh"))


@pytest.mark.parametrize("length", [0.8, 1.0, 1.3])
def test_the_eyes_of_a_long_face_lie_where_those_of_a_short_one_do(length: float) -> None:
    mesh = stretched(turned_mesh(0, 0, 0), length)
    own = fit_proportions([(mesh, "mesh")] * 3, CROP_PX)
    np.testing.assert_allclose(eyes_in_crop(mesh, own), EYES, atol=0.1)


def test_a_long_face_is_as_much_longer_in_its_crop_as_it_is() -> None:
    mouth = []
    for length in (1.0, 1.3):
        mesh = stretched(turned_mesh(0, 0, 0), length)
        to_crop = compose(fit_proportions([(mesh, "mesh")], CROP_PX), align_face(mesh, "mesh", CROP_PX))
        mouth.append(transform(to_crop, mesh[[2], :2])[0, 1] - EYES[:, 1].mean())
    assert mouth[1] / mouth[0] == pytest.approx(1.3, abs=0.02)


def test_a_person_with_large_irises_is_a_small_one() -> None:
    usual, large = turned_mesh(0, 0, 0), turned_mesh(0, 0, 0)
    for iris in (468, 473):
        large[iris : iris + 5] = large[iris] + 1.2 * (large[iris : iris + 5] - large[iris])
    scale = [fit_proportions([(mesh, "mesh")], CROP_PX)[0, 0] for mesh in (usual, large)]
    assert scale[0] == pytest.approx(1, abs=0.01)
    assert scale[1] == pytest.approx(1.2**-0.5, abs=0.01)  # their distance says nothing of it
    eyes = eyes_in_crop(large, fit_proportions([(large, "mesh")], CROP_PX))
    np.testing.assert_allclose(eyes.mean(axis=0), EYES.mean(axis=0), atol=0.1)


def test_turned_faces_do_not_count_where_enough_are_frontal() -> None:
    frontal = [(turned_mesh(yaw, 0, 0), "mesh") for yaw in range(-6, 7)]
    turned = [(stretched(turned_mesh(yaw, 20, 0), 1.3), "mesh") for yaw in range(-40, -20)]
    found = fit_proportions(turned + frontal, CROP_PX)
    np.testing.assert_allclose(found, fit_proportions(frontal, CROP_PX), atol=0.05)
    assert abs(fit_proportions(turned, CROP_PX)[0, 0] - found[0, 0]) > 0.03


def test_place_and_size_in_the_frame_do_not_matter() -> None:
    mesh = stretched(turned_mesh(5, 3, 0), 1.2)
    moved = mesh * 2.5 + 40
    np.testing.assert_allclose(
        fit_proportions([(mesh, "mesh")], CROP_PX), fit_proportions([(moved, "mesh")], CROP_PX), atol=0.01
    )


def test_faces_of_which_only_five_points_are_known_do_not_count_beside_meshes() -> None:
    five = (canonical_landmarks("five") * 90 + 10).astype(np.float32)
    five[2:, 1] += 12
    meshes = [(stretched(turned_mesh(yaw, 0, 0), 1.3), "mesh") for yaw in range(-20, 21, 20)]
    found = fit_proportions([(five, "five")] * 20 + meshes, CROP_PX)
    np.testing.assert_array_equal(found, fit_proportions(meshes, CROP_PX))


def test_five_points_are_enough_and_no_face_changes_nothing() -> None:
    five = (canonical_landmarks("five") * 90 + 10).astype(np.float32)
    five[2:, 1] += 12  # a long face
    own = fit_proportions([(five, "five")], CROP_PX)
    eyes = transform(compose(own, align_face(five, "five", CROP_PX)), five[:2])
    np.testing.assert_allclose(eyes, EYES, atol=0.1)
    np.testing.assert_array_equal(fit_proportions([], CROP_PX), np.eye(2, 3))


def test_two_people_in_one_s_place_have_one_size_however_the_head_turns() -> None:
    """The target and its truth: another head in the same place, 9 % apart by all distances at the widest turn."""
    truth = read_table(ROOT / "performers/truth/demo.parquet", TRUTH).iloc[::6]
    meshes = {
        clip: _fit_meshes(ROOT / clip, dict(zip(truth["frame"], truth[mask], strict=True)))
        for clip, mask in (("clips/ada/take1.mp4", "target_mask"), ("performers/truth/demo.mp4", "truth_mask"))
    }
    ada, ben = ([align_face(mesh, "mesh", CROP_PX) for mesh in of_clip] for of_clip in meshes.values())
    ratio = np.array([scale_of(of_ben) / scale_of(of_ada) for of_ada, of_ben in zip(ada, ben, strict=True)])
    is_turned = (truth["yaw"].abs() > 25).to_numpy()
    assert is_turned.sum() >= 10
    assert np.median(ratio[is_turned]) / np.median(ratio[~is_turned]) == pytest.approx(1, abs=0.02)
    own = [fit_proportions([(mesh, "mesh") for mesh in of_clip], CROP_PX)[0, 0] for of_clip in meshes.values()]
    assert np.median(ratio) * own[1] / own[0] == pytest.approx(1, abs=0.05)


def _fit_meshes(clip: Path, masks: dict[int, bytes]) -> list[Points]:
    """The meshes of the faces that masks show, frame by frame."""
    found = []
    with FaceMesh() as mesh:
        for frame in read_frames(clip):
            if frame.index in masks:
                y, x = np.nonzero(decode_png(masks[frame.index]))
                fitted = mesh.fit(frame, np.array([x.min(), y.min(), x.max(), y.max()], np.float32))
                assert fitted is not None
                found.append(fitted)
    return found
