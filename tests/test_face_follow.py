"""Following: faces are searched for seldom, and still each is there from its first frame to its last."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

import models.face_follow
from models.face_follow import FIVE, FaceFollower, Mesh, Sighting
from models.mtcnn import Detection
from vision.clip import Frame
from vision.planes import Layout, Matrix

SIZE, SIDE, EVERY = (180, 320), 40.0, 6
LAYOUT = Layout(1, 1, 8, Matrix.BT709, is_full_range=True)
Place = tuple[float, float]


@dataclass
class World:
    """Where faces really are, by frame: what the mesh holds, and those of them that the detector finds."""

    places: dict[int, list[Place]]
    hidden: set[int] = field(default_factory=set)  # frames in which the detector is blind
    meshless: set[Place] = field(default_factory=set)
    searches: list[int] = field(default_factory=list)

    def search(self, frame: Frame) -> list[Detection]:
        self.searches.append(frame.index)
        if frame.index in self.hidden:
            return []
        return [_detect(place, 0.9 - n / 10) for n, place in enumerate(self.places.get(frame.index, []))]

    def fit(self, frame: Frame, box: np.ndarray, five: np.ndarray) -> Mesh | None:
        assert five.shape == (5, 2)
        place = self._nearest(frame, (box[:2] + box[2:]) / 2)
        return None if place is None or place in self.meshless else _mesh_at(place)

    def follow(self, frame: Frame, before: Mesh) -> Mesh | None:
        place = self._nearest(frame, before[:, :2].mean(axis=0))
        return None if place is None else _mesh_at(place)

    def _nearest(self, frame: Frame, middle: np.ndarray) -> Place | None:
        near = [place for place in self.places.get(frame.index, []) if np.hypot(*(middle - place)) < SIDE / 2]
        return min(near, key=lambda place: float(np.hypot(*(middle - place))), default=None)

    def run(self, n_frames: int, starts: tuple[int, ...] = (0,), brighten: int = 10**6) -> dict[int, list[Sighting]]:
        """All sightings by frame; from frame `brighten` on, a far corner is light."""
        frames = list(_make_frames(n_frames, brighten))
        follower = FaceFollower(self.search, self, EVERY)
        found = list(follower.follow(frames, frozenset(starts)))
        assert [frame.index for frame, _ in found] == list(range(n_frames))
        return {frame.index: sightings for frame, sightings in found}


def _make_frames(n_frames: int, brighten: int) -> Iterator[Frame]:
    for index in range(n_frames):
        luma = np.full(SIZE, 40, np.uint8)
        if index >= brighten:
            luma[100:, 220:] = 200
        yield Frame(index, index, None, (luma, luma, luma), LAYOUT, is_key=False)


def _mesh_at(place: Place) -> Mesh:
    shape = np.random.default_rng(1).uniform(-SIDE / 2, SIDE / 2, (478, 3))
    shape -= shape.mean(axis=0)
    return np.asarray(shape + np.array([*place, 0]), np.float32)


def _detect(place: Place, confidence: float) -> Detection:
    x, y = place
    half = SIDE / 2
    box = np.array([x - half, y - half, x + half, y + half], np.float32)
    return Detection(box, confidence, _mesh_at(place)[FIVE, :2] + np.float32(1.5))


def _centers(sightings: list[Sighting]) -> list[list[float]]:
    return [((one.face.box[:2] + one.face.box[2:]) / 2).round(2).tolist() for one in sightings]


def _moving(frames: range, x: float = 60.0, y: float = 60.0) -> dict[int, list[Place]]:
    return {frame: [(x + 3.0 * frame, y)] for frame in frames}


def test_between_searches_the_mesh_carries_box_and_landmarks_along() -> None:
    world = World(_moving(range(20)))
    found = world.run(20)
    assert world.searches == [0, 6, 12, 18]
    for frame, sightings in found.items():
        assert _centers(sightings) == [[60 + 3 * frame, 60]]
        wanted = _detect((60 + 3.0 * frame, 60.0), 0.9)
        np.testing.assert_allclose(sightings[0].face.five, wanted.five, atol=0.01)
        np.testing.assert_allclose(sightings[0].face.box, wanted.box, atol=0.01)
        assert sightings[0].is_searched == (frame in world.searches)
        assert sightings[0].mesh is not None


def test_a_face_that_comes_between_two_searches_is_followed_back_to_where_it_came() -> None:
    world = World(_moving(range(9, 20)))
    found = world.run(20)
    assert world.searches == [0, 6, 12, 18]
    assert [frame for frame, sightings in found.items() if sightings] == list(range(9, 20))
    assert _centers(found[9]) == [[87, 60]]
    assert not found[9][0].is_searched
    assert [frame for frame, sightings in found.items() if any(one.is_first for one in sightings)] == [12]


def test_a_face_that_is_lost_is_searched_for_at_once_and_no_further_than_that() -> None:
    world = World(_moving(range(9)))
    found = world.run(20)
    assert world.searches == [0, 6, 9, 15]
    assert [frame for frame, sightings in found.items() if sightings] == list(range(9))


def test_a_face_that_jumps_is_found_again_in_the_same_frame() -> None:
    places = _moving(range(9)) | _moving(range(9, 20), x=200)
    found = World(places).run(20)
    assert [len(found[frame]) for frame in range(20)] == [1] * 20
    assert _centers(found[9]) == [[227, 60]]


def test_what_the_detector_misses_the_mesh_keeps() -> None:
    world = World(_moving(range(20)), hidden={6, 12})
    found = world.run(20)
    assert world.searches == [0, 6, 12, 18]
    assert [len(found[frame]) for frame in range(20)] == [1] * 20
    assert not found[12][0].is_searched


def test_nothing_crosses_a_cut_in_either_direction() -> None:
    world = World({frame: [(100.0, 60.0)] for frame in range(20)}, hidden={0, 6})
    found = world.run(20, starts=(0, 8))
    assert world.searches == [0, 6, 8, 14]
    assert [frame for frame, sightings in found.items() if sightings] == list(range(8, 20))


def test_two_that_come_to_follow_one_face_become_one() -> None:
    places: dict[int, list[Place]] = {frame: [(100.0, 60.0), (150.0 - 8 * frame, 60.0)] for frame in range(5)}
    places |= {frame: [(100.0, 60.0)] for frame in range(5, 12)}
    found = World(places).run(12)
    assert [len(found[frame]) for frame in (0, 1, 2)] == [2, 2, 2]
    assert [len(found[frame]) for frame in range(6, 12)] == [1] * 6
    assert found[8][0].face.confidence == pytest.approx(0.9)


def test_a_face_that_the_mesh_cannot_hold_is_searched_for_in_every_frame() -> None:
    place = (100.0, 60.0)
    world = World({frame: [place] for frame in range(9)}, meshless={place})
    found = world.run(9)
    assert world.searches == list(range(9))
    assert all(sightings[0].is_searched and sightings[0].mesh is None for sightings in found.values())


def test_movement_beside_the_faces_asks_for_a_search_and_so_does_nothing_else() -> None:
    world = World(_moving(range(12), x=40))
    world.run(12, brighten=4)
    assert world.searches == [0, 4, 10]
    world = World({frame: [(270.0, 140.0)] for frame in range(12)})
    world.run(12, brighten=4)
    assert world.searches == [0, 6], "the light falls on the face alone"


def test_faces_come_by_falling_confidence() -> None:
    found = World({frame: [(60.0, 60.0), (200.0, 60.0)] for frame in range(3)}).run(3)
    assert [[one.face.confidence for one in sightings] for sightings in found.values()] == [[0.9, 0.8]] * 3


def test_of_large_frames_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.face_follow, "KEPT_BYTES", 2 * 3 * SIZE[0] * SIZE[1])
    world = World(_moving(range(20)))
    assert [len(sightings) for sightings in world.run(20).values()] == [1] * 20
    assert world.searches == [0, 6, 12, 18]
    late = World(_moving(range(7, 20)))
    first = next(frame for frame, sightings in late.run(20).items() if sightings)
    assert first in (10, 11), "not back to its first"
