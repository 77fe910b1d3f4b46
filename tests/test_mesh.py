"""The face mesh lies on the face, moves with it, and depends on nothing else."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from errors import ParamsError
from models.mtcnn import Detection, FaceDetector
from vision.clip_read import read_frames
from vision.mesh import FaceMesh, share_mesh
from vision.planes import Layout, Planes, planes_to_rgb, rgb_to_planes
from vision.planes import Matrix as ColorMatrix

ROOT = Path(__file__).resolve().parent.parent
STILLS = ROOT / "../shared/footage/stills"
# Middles of the irises, tip of the nose, corners of the mouth.
FIVE = [468, 473, 1, 61, 291]

needs_footage = pytest.mark.skipif(not STILLS.is_dir(), reason="the test footage is not beside the repository")


@pytest.fixture(scope="module")
def mesh() -> Iterator[FaceMesh]:
    with FaceMesh() as one:
        yield one


@pytest.fixture(scope="module")
def portrait() -> tuple[np.ndarray, Detection]:
    picture = read_still("single.png")
    return picture, FaceDetector(0.1).find([picture])[0][0]


@needs_footage
@pytest.mark.parametrize("name", ["single.png", "multi_two.jpg", "multi_four.png", "partial_face.jpg"])
def test_the_mesh_agrees_with_the_five_landmarks_of_every_face(mesh: FaceMesh, name: str) -> None:
    picture = read_still(name)
    for face in FaceDetector(0.1).find([picture])[0]:
        points = mesh.fit(picture, face.box, face.five)
        assert points is not None
        assert points.shape == (478, 3)
        assert points.dtype == np.float32
        width = np.ptp(points[:, 0])
        assert np.hypot(*(points[FIVE, :2] - face.five).T).max() < 0.15 * width
        # The nose is nearer than the outline; depth is in the unit of the picture's plane.
        assert 0.2 * width < points[[234, 454], 2].mean() - points[1, 2] < width


@pytest.mark.parametrize("name", ["ada", "ben"])
def test_the_mesh_holds_on_the_demos_performers(mesh: FaceMesh, name: str) -> None:
    frames = read_frames(ROOT / f"clips/{name}/take1.mp4")
    pictures = [frame.to_rgb() for frame in islice(frames, 0, None, 15)]
    assert len(pictures) >= 10
    for picture, faces in zip(pictures, FaceDetector(0.12).find(pictures), strict=True):
        points = fit(mesh, picture, faces[0])
        assert np.hypot(*(points[FIVE, :2] - faces[0].five).T).max() < 0.15 * np.ptp(points[:, 1])


@needs_footage
@pytest.mark.parametrize("degrees", [-50, 25])
def test_the_mesh_turns_with_the_head(mesh: FaceMesh, portrait: tuple[np.ndarray, Detection], degrees: float) -> None:
    picture, face = portrait
    turn = cv2.getRotationMatrix2D((223, 117), degrees, 1)
    turned = cv2.warpAffine(picture, turn, (512, 512))
    upright = fit(mesh, picture, face)
    five = transform(face.five, turn)
    points = mesh.fit(turned, np.concatenate([five.min(0) - 25, five.max(0) + 25]), five)
    assert points is not None
    distance = np.hypot(*(points[:, :2] - transform(upright[:, :2], turn)).T)
    assert distance.mean() < 0.015 * np.ptp(upright[:, 0])


@needs_footage
def test_the_mesh_grows_with_the_picture_in_all_three_directions(
    mesh: FaceMesh, portrait: tuple[np.ndarray, Detection]
) -> None:
    picture, face = portrait
    points = fit(mesh, picture, face)
    large = cv2.resize(picture, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC)
    found = mesh.fit(large, face.box * 5 + 2, face.five * 5 + 2)
    assert found is not None
    # Pixel centers lie at integers: pixel p of the small picture has its middle at 5 p + 2 in the large one.
    assert np.abs(found - (points * 5 + [2, 2, 0])).mean() < 0.01 * 5 * np.ptp(points[:, 0])
    assert np.abs((found[:, :2] - points[:, :2] * 5).mean(0) - 2).max() < 1


@needs_footage
def test_the_mesh_hardly_depends_on_where_the_detector_puts_the_face(
    mesh: FaceMesh, portrait: tuple[np.ndarray, Detection]
) -> None:
    picture, face = portrait
    rng = np.random.default_rng(1)
    width = np.ptp(face.box[::2])
    found = [
        mesh.fit(picture, face.box + rng.normal(0, 0.03 * width, 4), face.five + rng.normal(0, 0.03 * width, 2))
        for _ in range(6)
    ]
    points = np.array([one for one in found if one is not None])
    assert len(points) == 6
    assert points.std(0)[:, :2].mean() < 0.004 * width
    by_box = mesh.fit(picture, face.box)
    assert by_box is not None
    assert np.abs(by_box - points.mean(0)).mean() < 0.01 * width


@needs_footage
def test_a_frame_gives_the_same_bits_whatever_came_before(
    mesh: FaceMesh, portrait: tuple[np.ndarray, Detection]
) -> None:
    picture, face = portrait
    first = fit(mesh, picture, face)
    other = np.ascontiguousarray(picture[:, ::-1])
    assert mesh.fit(other, np.array([511, 0, 511, 0]) + face.box[[2, 1, 0, 3]] * [-1, 1, -1, 1]) is not None
    np.testing.assert_array_equal(fit(mesh, picture, face), first)
    with FaceMesh() as another:
        np.testing.assert_array_equal(fit(another, picture, face), first)


@dataclass(frozen=True)
class InPlanes:
    """A picture as a frame of a video holds it."""

    planes: Planes
    layout: Layout


def to_planes(picture: np.ndarray, steps: tuple[int, int], bits: int = 8) -> InPlanes:
    layout = Layout(*steps, bits, ColorMatrix.BT709, is_full_range=False)
    return InPlanes(rgb_to_planes(picture, layout), layout)


@needs_footage
@pytest.mark.parametrize(("steps", "bits"), [((2, 2), 8), ((2, 1), 10), ((1, 1), 8)])
def test_a_picture_in_planes_gives_the_mesh_of_its_rgb(
    mesh: FaceMesh, portrait: tuple[np.ndarray, Detection], steps: tuple[int, int], bits: int
) -> None:
    picture, face = portrait
    frame = to_planes(picture[:301, :433], steps, bits)  # odd sides
    points = mesh.fit(frame, face.box, face.five)
    assert points is not None
    of_rgb = fit(mesh, planes_to_rgb(frame.planes, frame.layout), face)
    assert np.abs(points - of_rgb).mean() < 0.002 * np.ptp(of_rgb[:, 0])


@needs_footage
@pytest.mark.parametrize("scale", [3, 5.3])
def test_a_large_face_shrinks_before_it_becomes_rgb(
    mesh: FaceMesh, portrait: tuple[np.ndarray, Detection], scale: float
) -> None:
    picture, face = portrait
    large = cv2.resize(picture[:301, :333], None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    box, five = (points * scale + (scale - 1) / 2 for points in (face.box, face.five))
    frame, rgb = mesh.fit(to_planes(large, (2, 2)), box, five), mesh.fit(large, box, five)
    assert frame is not None
    assert rgb is not None
    assert np.hypot(*(frame - rgb)[:, :2].T).mean() < 0.004 * np.ptp(rgb[:, 0])


@needs_footage
@pytest.mark.parametrize("shift", [(3, 2), (16, -10)])
def test_a_face_is_followed_to_where_it_is_fitted(
    mesh: FaceMesh, portrait: tuple[np.ndarray, Detection], shift: tuple[int, int]
) -> None:
    picture, face = portrait
    before = fit(mesh, picture, face)
    moved = np.roll(picture, shift, axis=(1, 0))
    points = mesh.follow(moved, before)
    assert points is not None
    assert np.hypot(*(points - before)[:, :2].T - np.array(shift)[:, None]).mean() < 0.01 * np.ptp(before[:, 0])


@needs_footage
def test_a_face_that_is_gone_is_not_followed(mesh: FaceMesh, portrait: tuple[np.ndarray, Detection]) -> None:
    picture, face = portrait
    before = fit(mesh, picture, face)
    assert mesh.follow(np.roll(picture, 250, axis=1), before) is None
    assert mesh.follow(np.full_like(picture, 90), before) is None


@needs_footage
def test_no_mesh_where_there_is_no_face(mesh: FaceMesh) -> None:
    assert mesh.fit(read_still("no_face.jpg"), np.array([80, 80, 280, 300], np.float32)) is None
    assert mesh.fit(np.zeros((100, 100, 3), np.uint8), np.array([20, 20, 80, 80], np.float32)) is None


@needs_footage
def test_no_mesh_where_it_lies_elsewhere_than_the_box(mesh: FaceMesh, portrait: tuple[np.ndarray, Detection]) -> None:
    picture, face = portrait
    assert mesh.fit(picture, face.box, face.five) is not None
    assert mesh.fit(picture, face.box + 0.7 * np.ptp(face.box[::2]), face.five) is None


@pytest.mark.heavy
def test_it_starts_without_a_word_and_without_a_network() -> None:
    program = """
import socket
def refuse(*_): raise SystemExit("opened a socket")
socket.socket.connect = socket.create_connection = refuse
import numpy as np
from vision.mesh import FaceMesh, share_mesh
from vision.clip_read import read_frames
with FaceMesh() as mesh:
    print(mesh.fit(np.full((90, 90, 3), 90, np.uint8), np.array([20, 20, 70, 70])))
"""
    done = run_python(program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "None\n", "")


def test_the_module_loads_without_mediapipe() -> None:
    done = run_python("import sys; sys.modules['mediapipe'] = None; import vision.mesh; print('loaded')")
    assert done.stdout == "loaded\n"


def test_a_mesh_without_mediapipe_is_one_line_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(ParamsError, match=r"needs mediapipe 0\.10\.14 .* set detect\.landmarks: five"):
        FaceMesh()


def read_still(name: str) -> np.ndarray:
    picture: np.ndarray = cv2.cvtColor(cv2.imread(str(STILLS / name)), cv2.COLOR_BGR2RGB)
    return picture


def fit(mesh: FaceMesh, picture: np.ndarray, face: Detection) -> np.ndarray:
    points = mesh.fit(picture, face.box, face.five)
    assert points is not None
    return points


def transform(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    result: np.ndarray = points @ matrix[:, :2].T + matrix[:, 2]
    return result


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_process_shares_one_mesh() -> None:
    """One that is started anew for every part of a clip would keep its memory each time."""
    assert share_mesh() is share_mesh()
