"""What a run leaves in Prefect's UI: tables of its stages and metrics, and the pictures that it made."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from prefect.artifacts import create_image_artifact, create_table_artifact

from flows.graph import compare_metrics
from flows.outcome import Outcome
from vision.contact_sheet import scale_to_height
from vision.crops import decode_png, encode_png

HEIGHT_PX = 900  # of a picture at most
Outcomes = Mapping[str, Outcome]
_RAN = (Outcome.COMPLETED, Outcome.RESTORED)


def tell_run(outcomes: Outcomes, seconds: Mapping[str, float]) -> None:
    """Leave the run's artifacts: what became of the stages; where any ran, its metrics and pictures."""
    rows = [
        {"stage": stage, "outcome": outcome.value, "seconds": round(seconds[stage], 1)}
        for stage, outcome in outcomes.items()
    ]
    create_table_artifact(rows, key="stages", description="What became of each stage.")
    ran = {stage for stage, outcome in outcomes.items() if outcome in _RAN}
    if any(stage.startswith(("compare@", "train@", "evaluate@")) for stage in ran):
        metrics = [_make_row(*metric) for metric in compare_metrics()]
        create_table_artifact(metrics, key="metrics", description="Metrics at the last commit and now.")
    for stage in sorted(ran):
        for name, picture in _find_pictures(stage):
            key = f"{stage}-{name}".replace("@", "-").replace("_", "-")
            create_image_artifact(to_link(picture), key=key, description=f"{name} of {stage}")


def _make_row(file: str, metric: str, old: float | None, new: float | None) -> dict[str, object]:
    is_number = all(isinstance(value, int | float) for value in (old, new))
    change = new - old if is_number and new is not None and old is not None else None
    return {"file": file, "metric": metric, "last commit": old, "now": new, "change": change}


def _find_pictures(stage: str) -> Iterator[tuple[str, np.ndarray]]:
    """Faces of an alignment, a pair's coverage, a training's strip, an evaluation's sheet; each with its name."""
    name, _, key = stage.partition("@")
    if name == "align":
        from flows.face_sheet import draw_face_sheet  # noqa: PLC0415 (pandas takes its time, and most runs need none)

        faces = draw_face_sheet(Path(f"data/align/{key}/faceset"))
        yield from [("faces", faces)] if faces is not None else []
    files = {
        "compare": f"plots/compare/{key}/coverage.png",
        "train": f"plots/train/{key}/strip.png",
        "evaluate": f"data/evaluate/{key}/sheet.png",
    }
    path = Path(files.get(name, ""))
    if path.is_file():
        yield path.stem, decode_png(path.read_bytes())


def to_link(picture: np.ndarray) -> str:
    """The picture itself as a link, so that the page needs no file server; scaled to what a page shows."""
    shown = scale_to_height(picture, min(len(picture), HEIGHT_PX))
    return "data:image/png;base64," + base64.b64encode(encode_png(shown)).decode("ascii")
