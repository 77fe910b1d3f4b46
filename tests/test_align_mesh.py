"""Align with meshes, from a clip to its tables: smoothed landmarks, true outlines, lasting covers, reasons."""

from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from performers.landmarks import LANDMARKS
from stages.align import align
from stages.detect import detect
from stages.params import read_params
from stages.sample import sample
from tests.footage import encode_clip
from vision.clip_read import read_frames
from vision.crops import decode_png
from vision.edits import HEADER
from vision.faceset import read_faceset
from vision.masks import draw_mask
from vision.tables import DETECTIONS, TRACKS, TRUTH, read_table

ROOT = Path(__file__).resolve().parent.parent
TABLES = ("shots", "parts", "frames", "detections")
N_FRAMES = 120
COVERED = range(60, 78)
MAX_COVERED = 0.05
HAND = (175, 120, 95)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A performer's clip, fingers over the mouth in COVERED, sampled and detected."""
    place = tmp_path_factory.mktemp("mesh")
    truth = read_table(ROOT / "performers/truth/demo.parquet", TRUTH, ["target_landmarks"])["target_landmarks"]
    pictures = []
    for frame in read_frames(ROOT / "clips/ada/take1.mp4"):
        if frame.index == N_FRAMES:
            break
        rgb = frame.to_rgb().copy()
        if frame.index in COVERED:
            _paint_fingers(rgb, np.reshape(truth[frame.index], (-1, 2)))
        pictures.append(av.VideoFrame.from_ndarray(rgb, format="rgb24"))
    (place / "clips").mkdir()
    encode_clip(place / "clips/take1.mp4", pictures)
    params = read_params(ROOT / "params.yaml")
    shots, parts, frames, detections = (place / f"{name}.parquet" for name in TABLES)
    sample(place / "clips", shots, parts, frames, 0.08, "all", params.sample)
    detect(place / "clips", shots, parts, detections, params.detect)
    (place / "tracks.csv").write_text(HEADER + "\n")
    return place


def _paint_fingers(rgb: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
    """Three fingers that come from below and end over the mouth."""
    mouth = landmarks[[n for n, name in enumerate(LANDMARKS) if "mouth" in name or "lip" in name]].mean(axis=0)
    span = float(np.ptp(landmarks[:, 0]))
    for n in range(3):
        end = mouth + np.array([0.2 * n - 0.2, -0.1]) * span
        first, last = (point.round().astype(int).tolist() for point in (end + np.array([-0.1, 0.7]) * span, end))
        cv2.line(rgb, first, last, tuple(value // 2 for value in HAND), round(0.18 * span))
        cv2.line(rgb, first, last, HAND, round(0.12 * span))


def _align(place: Path, *, smooth: bool = True) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tracks and the face set, by frames."""
    shots, parts, frames, detections = (place / f"{name}.parquet" for name in TABLES)
    params = read_params(ROOT / "params.yaml").align
    limits = params.limits.model_copy(update={"max_covered_ratio": MAX_COVERED})
    params = params.model_copy(update={"smooth": smooth, "limits": limits})
    out = place / f"smooth_{smooth}"
    tracks, faceset, page = out / "tracks.parquet", out / "faceset", out / "tracks.html"
    edits = place / "tracks.csv"
    align(place / "clips", shots, parts, frames, detections, edits, tracks, faceset, page, params)
    return read_table(tracks, TRACKS).set_index("frame"), pd.concat(read_faceset(faceset)).set_index("frame")


@pytest.fixture(scope="module")
def aligned(place: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    return _align(place)


def test_landmarks_are_smoothed_and_only_where_params_say_so(
    place: Path, aligned: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    found = read_table(place / "detections.parquet", DETECTIONS)
    raw = np.stack(list(found["mesh"])).reshape(N_FRAMES, -1, 3)[..., :2].reshape(N_FRAMES, -1)
    smoothed, plain = (np.stack(list(t["landmarks"])) for t in (aligned[0], _align(place, smooth=False)[0]))
    np.testing.assert_allclose(plain, raw, atol=1e-3)
    trembling = [np.diff(points, 2, axis=0).std() for points in (raw, smoothed)]
    assert trembling[1] < 0.7 * trembling[0]
    assert np.abs(smoothed - raw).mean() < 1


def test_outlines_are_the_true_ones_in_tracks_and_face_set(aligned: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    tracks, faces = aligned
    masks = read_table(ROOT / "performers/truth/demo.parquet", TRUTH, ["frame", "target_mask"]).set_index("frame")
    overlaps = []
    for frame in range(0, COVERED.start, 4):
        true = decode_png(masks.loc[frame, "target_mask"]) > 0
        drawn = draw_mask(np.reshape(tracks.loc[frame, "outline"], (-1, 2)), true.shape) >= 0.5
        overlaps.append((drawn & true).sum() / (drawn | true).sum())
        to_crop = np.reshape(tracks.loc[frame, "frame_to_crop"], (2, 3))
        in_crop = np.reshape(tracks.loc[frame, "outline"], (-1, 2)) @ to_crop[:, :2].T + to_crop[:, 2]
        np.testing.assert_allclose(np.reshape(faces.loc[frame, "outline"], (-1, 2)), in_crop, atol=0.1)
    assert np.mean(overlaps) > 0.95


def test_what_lies_over_the_face_for_a_while_is_found_there_alone_and_is_the_reason_against_it(
    aligned: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    tracks, faces = aligned
    has_cover = tracks["covers"].map(len) > 0
    assert has_cover.loc[COVERED.start + 2 : COVERED.stop - 3].all()
    assert not has_cover.drop(index=range(COVERED.start - 3, COVERED.stop + 3)).any()
    assert (tracks["covered_ratio"] > MAX_COVERED).sum() == has_cover.sum()
    reasons = faces["reason"]
    assert reasons.loc[COVERED.start + 2 : COVERED.stop - 3].str.startswith("covered (").all()
    assert (reasons.drop(index=range(COVERED.start - 4, COVERED.stop + 4, 2)) == "").all()
    assert faces.index.tolist() == list(range(0, N_FRAMES, 2))
