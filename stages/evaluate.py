"""A take's clip, swap and truth, if known (videos, mask table) -> figures (JSON), curves (CSV), report (HTML, PNG)."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from errors import ClipError, ParamsError, TableError, one_line_errors
from stages.params import Evaluate, Truth, pick, read_key, read_params
from stages.permission import require_consent
from stages.progress import Progress
from stages.spread import spread
from trust.marked import require_marked
from vision.clip import Part
from vision.contact_sheet import draw_sheet
from vision.crops import encode_png
from vision.curves import Curve, draw_curves
from vision.figure_words import sum_up
from vision.hashing import hash_once
from vision.mean_face import read_mean_face
from vision.parts import read_parts
from vision.report import Figure, Report, render_report
from vision.tables import CONVERSIONS, read_table
from vision.take_faces import choose_frames, read_take_faces
from vision.take_measure import Measuring, measure_take
from vision.tally import SWAP, TARGET, TRUTH, Tally
from vision.whole import whole_file, whole_folder

HELD_OUT = tuple(f"{floor}heldout_dssim_{role}" for floor in ("", "floor_") for role in ("source", "target"))

PAGE = "report.html"

Bits = NDArray[np.bool_]
Figures = dict[str, float | int | None]


@dataclass(frozen=True)
class TakeFiles:
    """Where a take's clip and the results of the stages before lie."""

    take: str
    pair: str
    clip: Path
    parts: Path
    tracks: Path
    checkpoint: Path
    coverage: Path
    coverage_picture: Path
    previews: Path
    loss: Path
    strip: Path
    train_metrics: Path
    swap: Path
    conversions: Path

    @classmethod
    def of(cls, take: str, clip: str, pair: str, target: str) -> "TakeFiles":
        trained = Path("data/train") / pair
        return cls(
            take=take,
            pair=pair,
            clip=Path(clip),
            parts=Path(f"data/sample/{target}/parts.parquet"),
            tracks=Path(f"data/align/{target}/tracks.parquet"),
            checkpoint=trained / "checkpoint.safetensors",
            coverage=Path(f"data/compare/{pair}.json"),
            coverage_picture=Path(f"plots/compare/{pair}/coverage.png"),
            previews=trained / "previews",
            loss=Path(f"plots/train/{pair}/loss.csv"),
            strip=Path(f"plots/train/{pair}/strip.png"),
            train_metrics=Path(f"metrics/train/{pair}.json"),
            swap=Path(f"data/convert/{take}.mp4"),
            conversions=Path(f"data/convert/{take}.parquet"),
        )


def evaluate(
    files: TakeFiles, truth: Truth | None, settings: Evaluate, metrics: Path, curves: Path, report: Path
) -> None:
    """Measure the finished video frame by frame; write the figures, a row a frame, and the report's folder.

    Raises ParamsError for a truth that is not the one params.yaml names, ClipError for videos that do not belong
    together, TableError and CheckpointError for results of earlier stages that lack something, TrustError for a video
    whose credentials or mark do not verify.
    """
    require_marked(files.swap)
    held_out = _read_held_out(files.train_metrics)
    if truth is not None:
        _check_truth(files.take, truth)
    is_swapped = read_table(files.conversions, CONVERSIONS, ["is_swapped"])["is_swapped"].to_numpy(bool)
    tally = _measure(plan_measures(files, truth, settings, is_swapped))
    if tally.n_frames != len(is_swapped):
        raise ClipError(f"{files.swap}: has {tally.n_frames} frames, its table {len(is_swapped)}; rerun convert")
    measured = {"n_frames": len(is_swapped), "n_swapped": int(is_swapped.sum()), **tally.figures(), **held_out}
    figures, reasons = _set_unknown_apart(measured, tally.mesh_lack)
    frames = tally.table()
    frames.insert(1, "is_swapped", is_swapped.astype(int))
    _write_metrics(metrics, figures, reasons)
    _write_curves(curves, frames)
    sheet = _draw_sheet(tally, settings.sheet_px)
    _write_report(report, _make_report(files, sheet, frames, figures, reasons))
    print(*sum_up(figures), f"report: {report / PAGE}", sep="\n", flush=True)


def _read_held_out(path: Path) -> dict[str, float]:
    """The four held-out figures that training measured."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {name: float(found[name]) for name in HELD_OUT}
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise TableError(f"{path}: the held-out figures cannot be read ({reason}); rerun train") from error


def _check_truth(take: str, truth: Truth) -> None:
    named = {"video": (truth.video, truth.video_sha256), "table": (truth.table, truth.table_sha256)}
    for kind, (path, expected) in named.items():
        key = f"takes.{take}.truth.{kind}"
        try:
            with Path(path).open("rb") as file:
                found = file_digest(file, "sha256").hexdigest()
        except OSError as error:
            remedy = "mend the path, or set truth to null"
            raise ParamsError(f"{key}: {path} cannot be read ({error.strerror}); {remedy}") from error
        if found != expected:
            raise ParamsError(f"{key}_sha256: is {expected}, but {path} has {found}; restore the file or mend the key")


def plan_measures(files: TakeFiles, truth: Truth | None, settings: Evaluate, is_swapped: Bits) -> list[Measuring]:
    """What is to be measured, in order: each part of the clip; with a truth, of which no parts are known, the whole."""
    clip_sha256, parts = read_parts(files.parts, files.clip)
    mean_face = read_mean_face(files.checkpoint, "source")
    faces = read_take_faces(files.tracks, files.clip.name, mean_face.crop_px)
    chosen = choose_frames(faces, is_swapped, settings.sheet_rows)
    videos = {TARGET: files.clip, SWAP: files.swap}
    sha256 = {files.clip: clip_sha256} | {path: hash_once(path) for path in (files.swap, files.checkpoint)}
    masks = None
    if truth is not None:
        videos[TRUTH], masks = Path(truth.video), Path(truth.table)
        sha256 |= {videos[TRUTH]: truth.video_sha256, masks: truth.table_sha256}
    is_whole = truth is not None or len(parts) == 1
    whole = Measuring(
        videos=videos,
        masks=masks,
        checkpoint=files.checkpoint,
        conversions=files.conversions,
        sha256=sha256,
        part=None,
        n_frames=len(is_swapped),
        faces=faces,
        chosen=chosen,
        sheet_px=settings.sheet_px,
    )
    return [whole] if is_whole else [_cut_out(whole, part) for part in parts]


def _cut_out(whole: Measuring, part: Part) -> Measuring:
    """The part of a take, with its own faces and frames of the sheet."""
    frames = range(part.first_frame, part.end_frame)
    return replace(
        whole,
        part=part,
        n_frames=len(frames),
        faces={frame: whole.faces[frame] for frame in frames if frame in whole.faces},
        chosen={frame: whole.chosen[frame] for frame in frames if frame in whole.chosen},
    )


def _measure(plan: list[Measuring]) -> Tally:
    """The tally of all of the plan."""
    progress = Progress("evaluate")
    tallies = spread(measure_take, plan)
    tally = next(tallies)
    for later in tallies:
        tally.join(later)
        progress.tell(tally.n_frames)
    return tally


def _set_unknown_apart(measured: Mapping[str, float], mesh_lack: str) -> tuple[Figures, dict[str, str]]:
    """The figures with None for what is no finite number, and why each of those is unknown."""
    figures: Figures = {name: value if math.isfinite(value) else None for name, value in measured.items()}
    reasons = {name: _explain(name, measured[name], mesh_lack) for name, value in figures.items() if value is None}
    return figures, reasons


def _explain(name: str, value: float, mesh_lack: str) -> str:
    if "_corr" in name:
        return mesh_lack or "found on fewer than three frames, or without any change"
    return "the pictures are equal" if math.isinf(value) else "no frame shows a face to measure"


def _write_metrics(path: Path, figures: Figures, reasons: dict[str, str]) -> None:
    """JSON for `dvc metrics`; `reasons` stands in it only where a figure is unknown."""
    rounded = {name: round(value, 6) if isinstance(value, float) else value for name, value in figures.items()}
    content = rounded | ({"reasons": reasons} if reasons else {})
    with whole_file(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _write_curves(path: Path, frames: pd.DataFrame) -> None:
    with whole_file(path) as partial:
        frames.to_csv(partial, index=False, float_format="%.5g", lineterminator="\n")


def _make_report(
    files: TakeFiles, sheet: Figure, frames: pd.DataFrame, figures: Figures, reasons: dict[str, str]
) -> Report:
    coverage = _read_coverage(files.coverage)
    return Report(
        title=f"{files.take}: {files.pair}",
        subtitle=f"{files.clip} with the source's face of the pair {files.pair}",
        video=f"../../convert/{files.swap.name}",
        sheet=sheet,
        figures=figures,
        reasons=reasons,
        curves=tuple(_draw_frames(frames)),
        coverage=_show_coverage(files.coverage_picture, coverage["lacks"]),
        covered=coverage["covered"],
        training=tuple(_draw_training(files)),
    )


def _draw_sheet(tally: Tally, sheet_px: int) -> Figure:
    names = ("the clip", "the result", "the truth") if tally.has_truth else ("the clip", "the result")
    headings = (*names, *(f"{name}, face" for name in names))
    caption = (
        "Frames spread over the clip, and those with the widest mouth, the most closed eyes and the largest turn. "
    )
    caption += "The result should show the truth's face." if tally.has_truth else "The expression should be the clip's."
    return Figure("sheet", "What came out", caption, encode_png(draw_sheet(headings, tally.sheet, sheet_px)))


def _draw_frames(frames: pd.DataFrame) -> Iterator[Figure]:
    """Mouth, eyes and, with a truth, PSNR over the frames; frames that were not swapped are grey."""
    kept = np.flatnonzero(frames["is_swapped"] == 0)
    for part, title in (("mouth", "Mouth over time"), ("eye", "Eyes over time")):
        columns = {"result": f"{part}_swap", "truth": f"{part}_truth", "clip": f"{part}_target"}
        curves = _pick_curves(frames, "frame", columns)
        if "result" in curves:
            caption = "How far open, as the face mesh sees it. The result should move with the others."
            yield Figure(part, title, caption, draw_curves(curves, "frame", "gap / width", kept))
    columns = {"result": "psnr", "clip as it was": "unswapped_psnr", "mean face pasted": "floor_psnr"}
    curves = _pick_curves(frames, "frame", columns)
    if "result" in curves:
        caption = "Nearness to the truth inside the face, frame by frame. The result should lie above the others."
        yield Figure("psnr", "PSNR over time", caption, draw_curves(curves, "frame", "dB", kept))


def _pick_curves(table: pd.DataFrame, x: str, columns: Mapping[str, str]) -> dict[str, Curve]:
    """The columns that hold any value, over column `x`, by the names they are drawn under."""
    curves = {name: (table[x].to_numpy(), table[column].to_numpy(np.float64)) for name, column in columns.items()}
    return {name: curve for name, curve in curves.items() if np.isfinite(curve[1]).any()}


def _read_coverage(path: Path) -> dict[str, Any]:
    """What compare found: the shares `covered`, and in sentences what the source `lacks`. Raises TableError."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {name: found[name] for name in ("covered", "lacks")}
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise TableError(f"{path}: cannot be read ({type(error).__name__}: {error}); rerun compare") from error


def _show_coverage(path: Path, lacks: list[str]) -> Figure:
    """The picture that compare drew. Raises TableError."""
    try:
        picture = path.read_bytes()
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error}); rerun compare") from error
    says = " ".join(lacks) or "The source's faces show whatever the target does."
    return Figure("coverage", "What the source was seen to do", says, picture)


def _draw_training(files: TakeFiles) -> Iterator[Figure]:
    """The loss curve, the last preview and the strip of all, as far as training left them."""
    if files.loss.exists():
        loss = pd.read_csv(files.loss)
        # Validation is measured at few steps: without the empty ones its points are joined.
        parts = {name: loss[["step", name]].dropna() for name in ("train", "validation")}
        curves = {name: (part["step"].to_numpy(), part[name].to_numpy()) for name, part in parts.items()}
        caption = "Both should have come to rest. Validation that rises again means too few faces, or too similar ones."
        yield Figure("loss", "Training", caption, draw_curves(curves, "step", "loss"))
    previews = sorted(files.previews.glob("*.png"), key=lambda path: (len(path.name), path.name))
    if previews:
        caption = "In threes: faces that it never saw, the same restored, and the same decoded as the other person."
        yield Figure("preview", "What the model makes", caption, previews[-1].read_bytes())
    if files.strip.exists():
        caption = (
            "Faces of the target that training never saw, and below them what the swap made of them in the meantime."
        )
        yield Figure("strip", "How the swap came about", caption, files.strip.read_bytes())


def _write_report(folder: Path, report: Report) -> None:
    with whole_folder(folder) as partial:
        (partial / PAGE).write_text(render_report(report), encoding="utf-8")
        for figure in (report.sheet, *report.curves, report.coverage, *report.training):
            (partial / f"{figure.name}.png").write_bytes(figure.png)


def main() -> None:
    with one_line_errors():
        key = read_key("evaluate")
        params = read_params()
        require_consent("evaluate", key, params)
        take = pick(params.takes, "takes", key)
        evaluate(
            files=TakeFiles.of(key, take.clip, take.pair, take.target),
            truth=params.takes[key].truth,
            settings=params.evaluate,
            metrics=Path(f"metrics/evaluate/{key}.json"),
            curves=Path(f"plots/evaluate/{key}/frames.csv"),
            report=Path(f"data/evaluate/{key}"),
        )


if __name__ == "__main__":
    main()
