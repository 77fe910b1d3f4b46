"""How well descriptors that need no download tell people apart, on footage whose people are known.

    python -m benchmarks.likeness FOOTAGE

FOOTAGE is a folder with the clips and stills of PEOPLE. Their tracks are made by sample, detect and align's tracking; a
long one counts as three, its thirds. Pairs of one person are of three kinds: thirds of one track, other shots, and hard
ones (small, hidden or cut faces). Printed per descriptor are the likenesses of pairs, the equal error rate where the
second track of each pair was changed, and how alike a person is to themselves turned away. Nothing is written.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from models.mtcnn import FaceDetector
from models.mtcnn_nets import load_nets
from stages.align import MAX_GAP_S
from stages.detect import detect
from stages.params import Params, read_params
from stages.sample import sample
from vision.alignment import align_view, estimate_pose
from vision.clip_read import probe_clip, read_frames
from vision.crops import Picture, crop_picture
from vision.evenly import pick_evenly
from vision.look import describe_face
from vision.mesh import share_mesh
from vision.mesh_regions import STABLE_POINTS
from vision.planes import region_to_rgb
from vision.tables import DETECTIONS, SHOTS, points, read_table
from vision.tracking import assign_tracks
from vision.view import COVERAGE, VIEW_PX

FACES, LONG = 12, 36  # of a piece; of a track that is cut into thirds
FRONTAL, TURNED = 10, 20  # degrees of yaw
MIN_TURNED = 4

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Label:
    """Who is in a clip's frame at (x, y) pixels. `is_hard`: a small, hidden or cut face."""

    file: str
    frame: int
    x: int
    y: int
    person: str
    is_hard: bool = False


PEOPLE = (
    Label("person_a.mp4", 0, 200, 150, "a"),
    Label("person_a_take2.mp4", 0, 200, 160, "a"),
    Label("person_b.mp4", 0, 190, 150, "b"),
    Label("person_c.mp4", 0, 430, 180, "c"),
    Label("speech.mp4", 0, 185, 165, "speaker"),
    Label("speech.mp4", 100, 185, 165, "speaker"),
    Label("face_then_none.mov", 30, 430, 270, "f"),
    Label("four_up.mp4", 0, 155, 175, "top left"),
    Label("four_up.mp4", 0, 530, 185, "top right"),
    Label("four_up.mp4", 0, 165, 465, "bottom left"),
    Label("four_up.mp4", 0, 525, 450, "bottom right"),
    Label("crowd.mp4", 5, 545, 70, "singer", is_hard=True),
    Label("crowd.mp4", 100, 240, 137, "singer"),
    Label("crowd.mp4", 5, 65, 200, "pianist", is_hard=True),
    Label("crowd.mp4", 28, 399, 221, "pianist", is_hard=True),
    Label("crowd.mp4", 240, 70, 105, "audience 1"),
    Label("crowd.mp4", 240, 195, 125, "audience 2"),
    Label("crowd.mp4", 240, 355, 90, "audience 3"),
    Label("crowd.mp4", 240, 425, 130, "audience 4"),
    Label("stills/single.png", 0, 224, 120, "astronaut"),
    Label("stills/multi_two.jpg", 0, 310, 125, "left of two"),
    Label("stills/multi_two.jpg", 0, 865, 150, "right of two"),
    Label("stills/partial_face.jpg", 0, 100, 250, "left of two", is_hard=True),
)
UNKNOWN = {"audience 3", "left of two"}  # nobody looked whether these two are one


@dataclass(frozen=True)
class Face:
    """A face in a piece of its frame: RGB, and landmarks in the piece's pixels."""

    picture: Picture
    five: NDArray[np.float32]
    mesh: NDArray[np.float32] | None


@dataclass(frozen=True)
class Piece:
    """A track or a third of one: its faces, and whom they show."""

    label: Label
    faces: tuple[Face, ...]


Descriptor = Callable[[Face], Vector | None]


def read_pieces(footage: Path, params: Params) -> Iterator[Piece]:
    """All labelled tracks, the long ones in thirds."""
    for file in dict.fromkeys(label.file for label in PEOPLE):
        labels = [label for label in PEOPLE if label.file == file]
        read = _read_still if "stills" in file else partial(_read_clip, params=params)
        for label, faces in zip(labels, read(footage / file, labels), strict=True):
            n_parts = 3 if len(faces) >= LONG else 1
            for part in np.array_split(np.arange(len(faces)), n_parts):
                yield Piece(label, tuple(faces[part[i]] for i in pick_evenly(len(part), FACES)))


def _read_clip(path: Path, labels: list[Label], params: Params) -> list[list[Face]]:
    """LONG faces of each labelled track."""
    with tempfile.TemporaryDirectory() as temporary:
        found = _find_tracks(path, Path(temporary), params)
    chosen = []
    for label in labels:
        in_x = (found["x1"] <= label.x) & (label.x <= found["x2"])
        in_y = (found["y1"] <= label.y) & (label.y <= found["y2"])
        track = found.loc[(found["frame"] == label.frame) & in_x & in_y, "track"].iloc[0]
        rows = found[found["track"] == track]
        chosen.append(rows.iloc[pick_evenly(len(rows), LONG)])
    faces: list[list[Face]] = [[] for _ in labels]
    for frame in read_frames(path):
        rows_here = [
            (n, row) for n, rows in enumerate(chosen) for row in rows[rows["frame"] == frame.index].itertuples()
        ]
        if rows_here:
            height, width = frame.planes[0].shape
            picture = region_to_rgb(frame.planes, frame.layout, (0, 0, width, height))
        for n, row in rows_here:
            mesh = None if row.mesh is None else np.asarray(row.mesh, np.float32).reshape(-1, 3)
            faces[n].append(_cut_face(picture, (row.x1, row.y1, row.x2, row.y2), points(row.five), mesh))
    return faces


def _find_tracks(path: Path, folder: Path, params: Params) -> pd.DataFrame:
    """The clip's detections, each with its track."""
    (folder / "clips").mkdir()
    (folder / "clips" / path.name).symlink_to(path.resolve())
    shots, parts, frames, detections = (
        folder / f"{name}.parquet" for name in ("shots", "parts", "frames", "detections")
    )
    sample(folder / "clips", shots, parts, frames, 0.04, "all", params.sample)
    detect(folder / "clips", shots, parts, detections, params.detect)
    found = read_table(detections, DETECTIONS)
    max_gap = round(MAX_GAP_S * probe_clip(path).rate)
    return found.assign(track=assign_tracks(found, read_table(shots, SHOTS), params.align.min_overlap, max_gap))


def _read_still(path: Path, labels: list[Label]) -> list[list[Face]]:
    picture: Picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    found = FaceDetector(min_face_ratio=0.06).find([picture])[0]
    faces = []
    for label in labels:
        (face,) = (
            f for f in found if (f.box[:2] <= (label.x, label.y)).all() and (f.box[2:] >= (label.x, label.y)).all()
        )
        mesh = share_mesh().fit(picture, face.box, face.five)
        faces.append([_cut_face(picture, tuple(face.box), face.five, mesh)])
    return faces


def _cut_face(picture: Picture, box: tuple[float, ...], five: Vector, mesh: Vector | None) -> Face:
    """The part of the picture that a view of COVERAGE may need, and the landmarks in it."""
    x1, y1, x2, y2 = box
    margin = 1.2 * max(x2 - x1, y2 - y1)
    left, top = int(max(x1 - margin, 0)), int(max(y1 - margin, 0))
    cut = picture[top : int(y2 + margin), left : int(x2 + margin)].copy()
    moved = None if mesh is None else mesh - np.array([left, top, 0], np.float32)
    return Face(cut, five - np.array([left, top], np.float32), moved)


def view_by_five(face: Face, coverage: float = COVERAGE) -> Picture:
    return crop_picture(face.picture, align_view(face.five, "five", VIEW_PX, coverage), VIEW_PX)


def view_by_mesh(face: Face) -> Picture:
    """As by five, but the affine map of the mesh's stable points to a frontal face: that undoes some of a turn."""
    if face.mesh is None:
        return view_by_five(face)
    seen = face.mesh[list(STABLE_POINTS)].astype(np.float64)
    frontal = _turn_to_front(face.mesh)[list(STABLE_POINTS), :2] @ np.diag((1, -1))
    to_view = VIEW_PX / 28.0 / COVERAGE
    targets = frontal * (to_view, to_view) + VIEW_PX / 2
    affine, *_ = np.linalg.lstsq(np.column_stack([seen[:, :2], np.ones(len(seen))]), targets, rcond=None)
    return cv2.warpAffine(face.picture, affine.T, (VIEW_PX, VIEW_PX), borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _turn_to_front(mesh: Vector) -> NDArray[np.float64]:
    """The mesh in the canonical face's place, size and turn: (478, 3) cm, by the stable points (Umeyama 1991)."""
    canonical = np.array(list(STABLE_POINTS.values()), np.float64)
    points_up = mesh.astype(np.float64) * (1, -1, -1)
    stable = points_up[list(STABLE_POINTS)]
    a, b = stable - stable.mean(0), canonical - canonical.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    signs = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale = (s * signs).sum() / (a**2).sum()
    turned: NDArray[np.float64] = scale * (points_up - stable.mean(0)) @ (u @ np.diag(signs) @ vt).T + canonical.mean(0)
    return turned


def describe_before(face: Face) -> Vector:
    """What align used before: local contrast at 24 x 24 of the inner face, and color at 4 x 4."""
    small = cv2.resize(view_by_five(face, 0.6), (24, 24), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    contrast = lab[..., 0] - cv2.GaussianBlur(lab[..., 0], (0, 0), 4)
    color = cv2.resize(lab[..., 1:], (4, 4), interpolation=cv2.INTER_AREA).ravel()
    return np.concatenate([_unit(contrast.ravel()), 0.5 * _unit(color - color.mean())])


def describe_gradients(view: Picture, n_cells: int = 8, n_bins: int = 9) -> Vector:
    """Histograms of signed gradient directions by cells, each beside its neighbors' energy (Dalal and Triggs 2005)."""
    luma = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY).astype(np.float32)
    x, y = cv2.Sobel(luma, cv2.CV_32F, 1, 0, ksize=1), cv2.Sobel(luma, cv2.CV_32F, 0, 1, ksize=1)
    turn = np.mod(np.arctan2(y, x), 2 * np.pi) / (2 * np.pi) * n_bins
    share = turn % 1
    cells = np.zeros((n_cells, n_cells, n_bins), np.float32)
    for direction in range(n_bins):
        near = (turn.astype(int) % n_bins == direction) * (1 - share) + (
            (turn.astype(int) + 1) % n_bins == direction
        ) * share
        energy = (near * np.hypot(x, y)).astype(np.float32)
        cells[..., direction] = cv2.resize(energy, (n_cells, n_cells), interpolation=cv2.INTER_AREA)
    around = cv2.blur((cells**2).sum(-1), (3, 3), borderType=cv2.BORDER_REPLICATE) * 9
    return np.minimum(cells / np.sqrt(around + 0.01)[..., None], 0.2).ravel()


def describe_color(face: Face) -> Vector:
    """Lab at 6 x 6 over head and hair, each channel beside its mean."""
    lab = cv2.cvtColor(view_by_five(face).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    small = cv2.resize(lab, (6, 6), interpolation=cv2.INTER_AREA)
    return (small - small.mean((0, 1))).ravel()


def make_shape(pieces: list[Piece]) -> Descriptor:
    """The frontal mesh's stable points beside the mean face, over how much they move in one track.

    Mean and movement are those of the very faces that are compared: better than any that could be stored.
    """
    tracks: dict[Label, list[NDArray[np.float64]]] = {}
    for piece in pieces:
        shapes = [_turn_to_front(face.mesh)[list(STABLE_POINTS)] for face in piece.faces if face.mesh is not None]
        tracks.setdefault(piece.label, []).extend(shapes)
    known = [np.stack(shapes) for shapes in tracks.values() if len(shapes) > 1]
    mean = np.mean([shapes.mean(0) for shapes in known], axis=0)
    movement = np.sqrt(np.mean([shapes.var(0) for shapes in known], axis=0))

    def describe(face: Face) -> Vector | None:
        if face.mesh is None:
            return None
        shape = _turn_to_front(face.mesh)[list(STABLE_POINTS)]
        return ((shape - mean) / movement).ravel().astype(np.float32)

    return describe


def make_net(n_layers: int) -> Descriptor:
    """What the detector's last net holds after so many of its layers; all of them are its penultimate activations."""
    body = load_nets()[2].body[:n_layers]

    def describe(face: Face) -> Vector:
        view = cv2.resize(view_by_five(face, 0.8), (48, 48), interpolation=cv2.INTER_AREA)
        tensor = torch.from_numpy((view.astype(np.float32) - 127.5) / 128).permute(2, 0, 1)[None]
        with torch.inference_mode():
            return body(tensor).flatten().numpy()

    return describe


def make_descriptors(pieces: list[Piece]) -> dict[str, Descriptor]:
    return {
        "as before": describe_before,
        "gradients, by five": lambda face: describe_gradients(view_by_five(face)),
        "gradients, by mesh": lambda face: describe_gradients(view_by_mesh(face)),
        "patterns, by five": lambda face: describe_face(view_by_five(face))[-64 * 59 :],
        "patterns, by mesh": lambda face: describe_face(view_by_mesh(face))[-64 * 59 :],
        "light and color": lambda face: describe_face(view_by_five(face))[: -64 * 59],
        "color": describe_color,
        "3-D shape": make_shape(pieces),
        "detector's net, end": make_net(14),
        "detector's net, 4 layers": make_net(4),
        "vision.look, by mesh": lambda face: describe_face(view_by_mesh(face)),
        "vision.look": lambda face: describe_face(view_by_five(face)),
    }


def look_at(faces: Iterable[Face], describe: Descriptor) -> Vector | None:
    """A track's look; None where the descriptor says nothing of any face."""
    looks = [look for face in faces if (look := describe(face)) is not None]
    return _unit(np.sum([_unit(look) for look in looks], axis=0)) if looks else None


@dataclass(frozen=True)
class Pairs:
    """Likenesses: of one person in thirds of a track, in other shots, in hard pairs; of two people."""

    thirds: list[float]
    shots: list[float]
    hard: list[float]
    others: list[float]

    @property
    def same(self) -> list[float]:
        return [*self.thirds, *self.shots, *self.hard]


def compare(pieces: list[Piece], looks: list[Vector | None], changed: list[Vector | None]) -> Pairs:
    """Every piece beside every other one, the second of each pair as it is after a change."""
    pairs = Pairs([], [], [], [])
    for first, second in combinations(range(len(pieces)), 2):
        a, b = pieces[first].label, pieces[second].label
        look, other = looks[first], changed[second]
        if look is None or other is None or {a.person, b.person} == UNKNOWN:
            continue
        if a.person != b.person:
            kind = pairs.others
        elif a is b:
            kind = pairs.thirds
        else:
            kind = pairs.hard if a.is_hard or b.is_hard else pairs.shots
        kind.append(float(look @ other))
    return pairs


def find_rates(same: list[float], others: list[float]) -> tuple[float, float, float]:
    """Area under the ROC curve, equal error rate, and the threshold with it."""
    a, b = np.array(same), np.array(others)
    area = float(((a[:, None] > b) + 0.5 * (a[:, None] == b)).mean())
    thresholds = np.sort(np.concatenate([a, b]))
    missed, mistaken = ((a < t).mean() for t in thresholds), ((b >= t).mean() for t in thresholds)
    rates = np.array(list(zip(missed, mistaken, strict=True)))
    best = int(np.abs(rates[:, 0] - rates[:, 1]).argmin())
    return area, float(rates[best].mean()), float(thresholds[best])


def _change_values(change: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Callable[[Face], Face]:
    def apply(face: Face) -> Face:
        return replace(face, picture=change(face.picture.astype(np.float32)).clip(0, 255).astype(np.uint8))

    return apply


def _halve(face: Face) -> Face:
    small = cv2.resize(face.picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return Face(small, face.five / 2, None if face.mesh is None else face.mesh / 2)


def _blur(face: Face) -> Face:
    eyes = float(np.hypot(*(face.five[1] - face.five[0])))
    return replace(face, picture=cv2.GaussianBlur(face.picture, (0, 0), 0.05 * eyes))


def _compress(face: Face) -> Face:
    data = cv2.imencode(".jpg", face.picture, [cv2.IMWRITE_JPEG_QUALITY, 12])[1]
    return replace(face, picture=cv2.imdecode(data, cv2.IMREAD_COLOR))


def _light_side(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return picture * np.linspace(0.55, 1.25, picture.shape[1], dtype=np.float32)[None, :, None]


CHANGES: dict[str, Callable[[Face], Face]] = {
    "darker": _change_values(lambda picture: picture * 0.6),
    "contrast": _change_values(lambda picture: (picture - 110) * 1.6 + 110),
    "gamma": _change_values(lambda picture: 255 * (picture / 255) ** 1.8),
    "warmer": _change_values(lambda picture: picture * np.array([1.2, 1, 0.75], np.float32)),
    "side": _change_values(_light_side),
    "blur": _blur,
    "half": _halve,
    "jpeg": _compress,
}


def find_turned(pieces: list[Piece]) -> Iterator[tuple[Label, list[Face], list[Face]]]:
    """The tracks that show a face frontally and turned away: the faces of both."""
    for label in PEOPLE:
        faces = [face for piece in pieces if piece.label is label for face in piece.faces if face.mesh is not None]
        yaws = [abs(estimate_pose(face.mesh, "mesh")[0]) for face in faces if face.mesh is not None]
        frontal = [face for face, yaw in zip(faces, yaws, strict=True) if yaw < FRONTAL]
        turned = [face for face, yaw in zip(faces, yaws, strict=True) if yaw > TURNED]
        if min(len(frontal), len(turned)) >= MIN_TURNED:
            yield label, frontal, turned


def _unit(vector: NDArray[np.float32]) -> Vector:
    return (vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(np.float32)


def print_likenesses(pieces: list[Piece], descriptors: dict[str, Descriptor]) -> None:
    """A row a descriptor: pairs as they are."""
    print(
        "lowest of one person (thirds, other shots, hard); two people; margin without the hard ones, in deviations too"
    )
    print(f"{'':26}  thirds   shots      hard    mean   95 %    max  margin    /sd     AUC   EER     at ms/face")
    for name, describe in descriptors.items():
        start = time.process_time()
        looks = [look_at(piece.faces, describe) for piece in pieces]
        milliseconds = 1000 * (time.process_time() - start) / sum(len(piece.faces) for piece in pieces)
        pairs = compare(pieces, looks, looks)
        lowest, highest = min(pairs.thirds + pairs.shots), max(pairs.others)
        area, error, threshold = find_rates(pairs.same, pairs.others)
        print(
            f"{name:26}{min(pairs.thirds):8.2f}{min(pairs.shots):8.2f}{min(pairs.hard):6.2f} ..{max(pairs.hard):5.2f}"
            f"{np.mean(pairs.others):8.2f}{np.percentile(pairs.others, 95):7.2f}{highest:7.2f}"
            f"{lowest - highest:8.2f}{(lowest - highest) / np.std(pairs.others):7.2f}"
            f"{area:8.4f}{100 * error:6.1f}{threshold:7.2f}{milliseconds:8.2f}",
            flush=True,
        )


def print_changes(pieces: list[Piece], descriptors: dict[str, Descriptor]) -> None:
    """A row a descriptor: the equal error rate where one of the two is changed."""
    print(f"\n{'EER in % without the hard':26}" + "".join(f"{change:>10}" for change in CHANGES))
    for name, describe in descriptors.items():
        looks = [look_at(piece.faces, describe) for piece in pieces]
        errors = []
        for change in CHANGES.values():
            pairs = compare(pieces, looks, [look_at(map(change, piece.faces), describe) for piece in pieces])
            errors.append(100 * find_rates(pairs.thirds + pairs.shots, pairs.others)[1])
        print(f"{name:26}" + "".join(f"{error:10.1f}" for error in errors), flush=True)


def print_turned(pieces: list[Piece], descriptors: dict[str, Descriptor]) -> None:
    """A line a track: its frontal faces beside those turned away."""
    print(f"\nFrontal beside turned by more than {TURNED} degrees")
    for label, frontal, turned in find_turned(pieces):
        found = {name: (look_at(frontal, d), look_at(turned, d)) for name, d in descriptors.items()}
        alike = [f"{name} {a @ b:.2f}" for name, (a, b) in found.items() if a is not None and b is not None]
        print(f"{label.file} ({label.person}): {'; '.join(alike)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("footage", type=Path)
    torch.set_num_threads(1)
    pieces = list(read_pieces(parser.parse_args().footage, read_params()))
    descriptors = make_descriptors(pieces)
    n_people = len({piece.label.person for piece in pieces})
    print(f"{len(pieces)} pieces of {n_people} people, {sum(len(piece.faces) for piece in pieces)} faces")
    print_likenesses(pieces, descriptors)
    print_changes(pieces, descriptors)
    print_turned(pieces, descriptors)


if __name__ == "__main__":
    main()
