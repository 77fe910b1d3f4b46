"""Clips of one identity -> shots (cuts), parts (that can be read on their own) and frames (each with why the face set
may not use it), as Parquet tables. Of a folder of stills every picture is a shot.

No pictures are written: later stages decode the clip.
"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from errors import ClipError, ParamsError, one_line_errors
from stages.originals import register_originals
from stages.params import Sample, pick, read_key, read_params
from stages.permission import is_recorded, require_consent
from stages.spread import spread
from vision.clip_files import list_files
from vision.clip_read import list_clips
from vision.hashing import hash_once
from vision.sampling import Rules, Sampled, Sampling, sample_clip
from vision.tables import FRAMES, PARTS, SHOTS, TableWriter


def sample(
    clips: Path,
    shots: Path,
    parts: Path,
    frames: Path,
    interval_s: float,
    faceset: Literal["all"] | list[str],
    params: Sample,
) -> None:
    """Write the tables of shots, parts and frames of all clips in a folder. Raises ClipError, ParamsError."""
    paths = list_clips(clips)
    check_faceset(faceset, paths, clips)
    hashes = _hash_clips(paths)
    plan = [
        Sampling(path, sha256, Rules(interval_s, faceset == "all" or path.name in faceset, **params.model_dump()))
        for path, sha256 in hashes.items()
    ]
    with (
        TableWriter(shots, SHOTS) as of_shots,
        TableWriter(parts, PARTS) as of_parts,
        TableWriter(frames, FRAMES) as of_frames,
    ):
        for sampling, found in zip(plan, spread(sample_clip, plan), strict=True):
            key = {"clip": sampling.clip.name, "clip_sha256": sampling.clip_sha256}
            for piece in found.pieces:
                of_frames.write(piece)
            n_frames = sum(map(len, found.pieces))
            of_shots.write_rows(list(_shot_rows(key, found.starts, n_frames)))
            of_parts.write_rows([{**key, "part": index, **asdict(part)} for index, part in enumerate(found.parts)])
            _tell(found, n_frames)


def check_faceset(faceset: Literal["all"] | list[str], clips: list[Path], folder: Path) -> None:
    """Raises ParamsError for a name in the face set's list that is none of the folder's clips."""
    names = [clip.name for clip in clips]
    unknown = [] if faceset == "all" else [name for name in faceset if name not in names]
    if unknown:
        raise ParamsError(f"faceset: there is no clip {unknown[0]!r} in {folder}; there are: {', '.join(names)}")


def _hash_clips(paths: list[Path]) -> dict[Path, str]:
    """The clips' hashes. Raises ClipError for twins: their faces would be trained on and validated with."""
    known: dict[str, Path] = {}
    for path in paths:
        list_files(path)  # a pipe would be waited for
        sha256 = hash_once(path)
        if sha256 in known:
            raise ClipError(f"{path}: has the same bytes as {known[sha256].name}; remove one of them")
        known[sha256] = path
    return {path: sha256 for sha256, path in known.items()}


def _tell(found: Sampled, n_frames: int) -> None:
    clip, n_used = found.info.path, sum(int((piece["reason"] == "").sum()) for piece in found.pieces)
    counted = f"{n_frames} stills" if found.info.is_stills else f"{n_frames} frames, {len(found.starts) - 1} cuts"
    print(f"{clip}: {counted}, {n_used} used")
    for note in found.info.notes:
        print(f"{clip}: note: {note}")


def _shot_rows(key: dict[str, str], starts: list[int], n_frames: int) -> Iterator[dict[str, object]]:
    for shot, (first, end) in enumerate(zip(starts, [*starts[1:], n_frames], strict=True)):
        yield {**key, "shot": shot, "first_frame": first, "end_frame": end}


def main() -> None:
    with one_line_errors():
        key = read_key("sample")
        params = read_params()
        require_consent("sample", key, params)
        sample(
            clips=Path(pick(params.identities, "identities", key).clips),
            shots=Path(f"data/sample/{key}/shots.parquet"),
            parts=Path(f"data/sample/{key}/parts.parquet"),
            frames=Path(f"data/sample/{key}/frames.parquet"),
            interval_s=params.identities[key].interval_s,
            faceset=params.identities[key].faceset,
            params=params.sample,
        )
        if is_recorded(params.identities[key].consent):
            register_originals(key, Path(f"data/sample/{key}/frames.parquet"))


if __name__ == "__main__":
    main()
