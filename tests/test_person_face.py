"""A person's face: its outline is the true one, and what lies over it is found."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.face_search import Search, Stretch, find_faces
from performers.truth import SOURCE_TRUTH
from tests.footage import REAL, needs_footage
from vision.alignment import Matrix, align_face
from vision.chart import Chart, chart_crop
from vision.clip import Frame, Part
from vision.clip_read import read_frames
from vision.covers import Sight, keep_lasting
from vision.crops import Picture, crop_frame, decode_png
from vision.evenly import pick_evenly
from vision.hashing import hash_file
from vision.masks import draw_mask
from vision.outline import trace_face
from vision.person_face import FaceShape, PersonFace, learn_face
from vision.planes import region_to_rgb, rgb_to_planes
from vision.surface import Mesh, Surface, fit_shape, unroll
from vision.tables import TRUTH, Table, read_table

ROOT = Path(__file__).resolve().parent.parent
FOREHEAD_CM = 2.5
CROP_PX = 256


@dataclass
class Clip:
    """A clip's frames and meshes, and the face that is learnt from some of them."""

    path: Path
    meshes: dict[int, NDArray[np.float32]]
    person: PersonFace

    def frames(self, wanted: set[int]) -> list[Frame]:
        return [frame for frame in read_frames(self.path) if frame.index in wanted]

    def measure_masks(self, table: Path, kind: Table, mask: str, every: int) -> tuple[NDArray[np.float64], ...]:
        """Every n-th frame's IoU of the outline and the true mask, and its yaw."""
        truth = read_table(table, kind).iloc[: len(self.meshes) : every].to_dict("records")
        found = []
        for row, frame in zip(truth, self.frames({row["frame"] for row in truth}), strict=True):
            assert frame.index == row["frame"]
            true = decode_png(row[mask]) > 0
            shape, _ = self.person.see(*_crop(frame, self.meshes[frame.index]))
            drawn = draw_mask(shape.outline, true.shape) >= 0.5
            found.append((np.sum(drawn & true) / np.sum(drawn | true), abs(row["yaw"])))
        iou, yaw = np.array(found).T
        return iou, yaw


def _learn(path: Path, n_frames: int, search_s: float = 0.5) -> Clip:
    search = Search("torch", "mesh", 0.12, (0.6, 0.7, 0.8), search_s, profiles=True)
    part = Part(0, n_frames, 0)
    found = find_faces(Stretch(path, hash_file(path), part, search, 15, frozenset([0])))
    found = found[(found["face"] == 0) & found["mesh"].notna()]
    meshes = {
        row.frame: np.asarray(row.mesh, np.float32).reshape(-1, 3) for row in found[["frame", "mesh"]].itertuples()
    }
    some = {frame: meshes[frame] for frame in np.array(sorted(meshes))[pick_evenly(len(meshes), 96)].tolist()}
    shape = fit_shape(list(some.values()))
    surface = unroll(shape, FOREHEAD_CM)
    frames = (frame for frame in read_frames(path) if frame.index in some)
    charts = [_read_chart(frame, some[frame.index], surface) for frame in frames]
    return Clip(path, meshes, learn_face(charts, shape, surface, has_looks=True))


def _crop(frame: Frame, mesh: Mesh) -> tuple[Picture, Matrix, Mesh]:
    to_crop = align_face(mesh, "mesh", CROP_PX)
    return crop_frame(frame, to_crop, CROP_PX), to_crop, mesh


def _read_chart(frame: Frame, mesh: Mesh, surface: Surface) -> Chart:
    crop, to_crop, _ = _crop(frame, mesh)
    return chart_crop(crop, to_crop, surface.place(mesh))


def find_shape(clip: Clip, frame: Frame) -> FaceShape:
    """The shape of the clip's face as this frame alone shows it."""
    mesh = clip.meshes[frame.index]
    shape, sight = clip.person.see(*_crop(frame, mesh))
    assert sight is not None
    return clip.person.add_sight(shape, mesh, sight)


@pytest.fixture(scope="module")
def ada() -> Clip:
    return _learn(ROOT / "clips/ada/take1.mp4", 240)


def test_the_outline_is_the_true_one_also_of_a_turned_head(ada: Clip) -> None:
    iou, yaw = ada.measure_masks(ROOT / "performers/truth/demo.parquet", TRUTH, "target_mask", every=3)
    assert iou.mean() >= 0.955
    assert (yaw > 28).sum() >= 15
    assert iou[yaw > 28].mean() >= 0.94
    assert iou.min() > 0.9


@pytest.mark.heavy
def test_so_is_that_of_another_person_with_other_hair() -> None:
    ben = _learn(ROOT / "clips/ben/take1.mp4", 200)
    iou, yaw = ben.measure_masks(ROOT / "performers/truth/source.parquet", SOURCE_TRUTH, "mask", every=4)
    assert iou.mean() >= 0.94
    assert iou[yaw > 28].mean() >= 0.93


def test_the_forehead_reaches_as_far_as_params_say(ada: Clip) -> None:
    mesh = ada.meshes[0]
    tops = []
    for forehead_cm in (0.0, 1.0, FOREHEAD_CM):
        shape = fit_shape(list(ada.meshes.values())[::8])
        surface = unroll(shape, forehead_cm)
        frames = ada.frames(set(range(0, 60, 6)))
        charts = [_read_chart(one, ada.meshes[one.index], surface) for one in frames]
        person = learn_face(charts, shape, surface, has_looks=False)
        tops.append(mesh[10, 1] - trace_face(person.extent, surface.place(mesh), mesh)[:, 1].min())
    px_per_cm = np.ptp(mesh[:468, 1]) / 17.7
    assert abs(tops[0]) < 0.5 * px_per_cm
    assert tops[0] + 0.5 * px_per_cm < tops[1] < tops[2] - 0.5 * px_per_cm


def test_texels_move_with_the_face_and_face_the_camera_as_it_does(ada: Clip) -> None:
    surface = ada.person.surface
    mesh = ada.meshes[0]
    placed = surface.place(mesh).texels
    there = surface.is_there
    np.testing.assert_allclose(surface.place(mesh * 2 + 5).texels[there], placed[there] * 2 + 5, atol=0.01)
    facing = {frame: surface.place(ada.meshes[frame]).facing for frame in (0, 71, 130)}
    left, right = (np.s_[:, : facing[0].shape[1] // 3], np.s_[:, -(facing[0].shape[1] // 3) :])
    n_away = {
        frame: [int((one[side] < 0)[there[side]].sum()) for side in (left, right)] for frame, one in facing.items()
    }
    assert n_away[71][0] > 3 * max(n_away[71][1], n_away[0][0])  # turned to the picture's left
    assert n_away[130][1] > 3 * max(n_away[130][0], n_away[0][1])


def test_a_hand_painted_over_the_face_is_found_where_it_is_and_nowhere_else(ada: Clip) -> None:
    wanted = set(range(0, 240, 20))
    for frame in ada.frames(wanted):
        mesh = ada.meshes[frame.index]
        bare = find_shape(ada, frame)
        assert bare.covered_ratio < 0.08
        hand, picture = _paint_fingers(frame, mesh)
        shape = find_shape(ada, picture)
        assert shape.covered_ratio > 0.08
        found = np.zeros(hand.shape, bool)
        for cover in shape.covers:
            found |= draw_mask(cover, hand.shape) > 0.5
        on_face = hand & (draw_mask(shape.outline, hand.shape) > 0.5)
        assert (found & on_face).sum() > 0.5 * on_face.sum()
        near = cv2.dilate(hand.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
        assert (found & ~near).sum() < 0.1 * found.sum() + 200


def _paint_fingers(frame: Frame, mesh: NDArray[np.float32]) -> tuple[NDArray[np.bool_], Frame]:
    """Three fingers of the cheek's own color over mouth and cheek: (where they are, the picture with them)."""
    height, width = frame.planes[0].shape
    rgb = region_to_rgb(frame.planes, frame.layout, (0, 0, width, height)).copy()
    skin = rgb[tuple(mesh[50, 1::-1].round().astype(int))].astype(int)
    span = float(np.ptp(mesh[:, 0]))
    hand = np.zeros((height, width), np.uint8)
    for n in range(3):
        end = mesh[13, :2] + (span * (0.16 * n - 0.16), -0.05 * span)
        start = end + np.array([-0.1, 0.5]) * span
        first, last = (point.round().astype(int).tolist() for point in (start, end))
        cv2.line(hand, first, last, 1, round(0.14 * span))
        cv2.line(rgb, first, last, (skin * 0.55).tolist(), round(0.14 * span))
        cv2.line(rgb, first, last, skin.tolist(), round(0.09 * span))
    planes = rgb_to_planes(rgb, frame.layout)
    return hand > 0, Frame(frame.index, frame.pts, frame.duration, planes, frame.layout, frame.is_key)


@pytest.mark.heavy
@needs_footage
def test_a_real_hand_is_found_in_the_frames_that_have_one() -> None:
    clip = _learn(REAL / "person_c.mp4", 472)
    frames = clip.frames({*range(0, 56, 8), *range(70, 228, 8), *range(238, 450, 12)})
    has_cover = {frame.index: bool(find_shape(clip, frame).covers) for frame in frames}
    by_hand = {index for index in has_cover if 70 <= index < 228}
    assert sum(has_cover[index] for index in by_hand) >= len(by_hand) - 1
    assert not any(found for index, found in has_cover.items() if index not in by_hand)


def test_what_covers_a_face_for_a_few_frames_only_is_no_cover_and_a_gap_in_one_is_closed() -> None:
    frames = [*range(10, 40), *range(60, 66)]
    covered = {*range(12, 14), *range(20, 31), *range(60, 66)} - {25}
    bits = np.zeros((4, 5), bool)
    bits[1:3, 2] = True
    empty = np.zeros_like(bits)
    sights = [Sight(bits if n in covered else empty, np.ones_like(bits), 1.0) for n in frames]
    lasting = keep_lasting(sights, frames)
    found = [n for n, sight in zip(frames, lasting, strict=True) if sight.covered.any()]
    assert found == [*range(20, 31), *range(60, 66)]
    assert all(np.array_equal(sight.covered, bits) for sight in lasting if sight.covered.any())
