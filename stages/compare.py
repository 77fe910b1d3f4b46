"""A pair's face sets, the target's tracks -> what the source's faces lack: figures, sentences, a table and picture."""

import json
import math
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import one_line_errors
from stages.params import Compare, pick, read_key, read_params
from stages.permission import require_consent
from vision.coverage import Faces, count_cells, find_lacks, measure_coverage, tell_lack
from vision.coverage_plot import draw_coverage
from vision.crops import Picture, decode_png
from vision.evenly import pick_evenly
from vision.faceset import read_columns, read_faceset
from vision.tables import TRACKS, read_table
from vision.whole import whole_file, whole_folder

MEASURES = ["yaw", "pitch", "mouth_open", "eye_open"]
LIGHT_FACES = 400  # of a face set, evenly, whose light is measured
LUMA = np.array([0.299, 0.587, 0.114])


def compare(
    source: Path, target: Path, tracks: Path, metrics: Path, plots: Path, findings: Path, params: Compare
) -> None:
    """Say what the target's frames need and the source's face set lacks, before anything is trained."""
    own = _read_own(source)
    wanted = read_table(tracks, TRACKS, [*MEASURES, "is_used"])
    every = np.arange(len(read_columns(target, ["frame"])))
    needed = Faces.of(wanted[wanted["is_used"]], _measure_lights(target, every))
    covered = measure_coverage(own, needed, params.min_faces)
    sentences = [tell_lack(lack) for lack in find_lacks(own, needed, params.min_faces)]
    figures = {name: round(share, 4) if math.isfinite(share) else None for name, share in covered.items()}
    with whole_file(metrics) as partial:
        partial.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    with whole_folder(plots) as folder:
        for name, faces in (("source", own), ("target", needed)):
            cells = count_cells(faces)
            cells.to_csv(folder / f"{name}.csv", index=False, float_format="%.5g", lineterminator="\n")
        (folder / "coverage.png").write_bytes(draw_coverage(own, needed))
    with whole_file(findings) as partial:
        partial.write_text(json.dumps({"covered": figures, "lacks": sentences}, indent=2) + "\n", encoding="utf-8")
    print(*(sentences or ["compare: the source's faces cover what the target does"]), sep="\n", flush=True)


def _read_own(faceset: Path) -> Faces:
    """The source's faces, without those that training leaves out."""
    records = read_columns(faceset, [*MEASURES, "reason"])
    is_learnt = (records["reason"] == "").to_numpy()
    return Faces.of(records[is_learnt], _measure_lights(faceset, np.flatnonzero(is_learnt)))


def _measure_lights(faceset: Path, among: NDArray[np.int64]) -> NDArray[np.float64]:
    """The light of up to LIGHT_FACES of some of a face set's faces, evenly; no more than a piece of the set is held."""
    chosen = set(among[pick_evenly(len(among), LIGHT_FACES)].tolist())
    pictures = chain.from_iterable(piece["picture"] for piece in read_faceset(faceset))
    return np.array([_measure_light(decode_png(data)) for index, data in enumerate(pictures) if index in chosen])


def _measure_light(crop: Picture) -> float:
    """Mean luma of the crop's middle, where the face is."""
    side = len(crop)
    middle: NDArray[np.float64] = crop[side // 3 : -side // 3, side // 3 : -side // 3].mean(axis=(0, 1))
    return float(middle @ LUMA)


def main() -> None:
    with one_line_errors():
        key = read_key("compare")
        params = read_params()
        require_consent("compare", key, params)
        pair = pick(params.pairs, "pairs", key)
        compare(
            source=Path(f"data/align/{pair.source}/faceset"),
            target=Path(f"data/align/{pair.target}/faceset"),
            tracks=Path(f"data/align/{pair.target}/tracks.parquet"),
            metrics=Path(f"metrics/compare/{key}.json"),
            plots=Path(f"plots/compare/{key}"),
            findings=Path(f"data/compare/{key}.json"),
            params=params.compare,
        )


if __name__ == "__main__":
    main()
