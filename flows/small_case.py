"""A small case of this project in another folder: a second of each person's footage, and params that take seconds.

What the stages do with it is what they do with the project, as far as a second of picture shows it: of the params only
what costs time is smaller (sizes, width, batch, steps; on the CPU). It has no sound.
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from errors import UnderstudyError
from stages.check import EDITS
from stages.params import Identity, Params, Take, Truth, read_params
from trust.consent import record_path
from vision.clip_read import list_clips, probe_clip, read_frames
from vision.edits import HEADER, read_edits
from vision.hashing import hash_file
from vision.picture_folder import RATE_FILE, read_folder
from vision.tables import TRACKS, TRUTH, read_batches, read_table, write_table
from vision.video_write import VideoWriter

N_FRAMES = 24
CRF = 12
STEPS = 6  # of training, in each of at most two phases
# Where a stage's key stands; else in identities.
_SECTIONS = {"compare": "pairs", "train": "pairs", "convert": "takes", "evaluate": "takes"}


@dataclass(frozen=True)
class Piece:
    """`N_FRAMES` frames of a clip, from `first` on."""

    clip: Path
    first: int

    def __str__(self) -> str:
        return f"{self.clip} from frame {self.first} on"


def make_case(folder: Path, stages: Iterable[str]) -> list[Piece]:
    """Write clips, edits, records and params.yaml of all that `stages` need into `folder`; the footage that was taken.

    Raises UnderstudyError.
    """
    params = _restrict(read_params(), stages)
    pieces = {name: _choose_piece(name, params) for name in params.identities}
    for name, piece in pieces.items():
        _cut(piece.clip, folder / piece.clip, piece.first)
        _write_edits(folder, name, piece)
        if record_path(name).is_file():
            _copy(record_path(name), folder)
    values = _shrink(params.model_dump())
    for name, piece in pieces.items():
        values["identities"][name] |= _shrink_identity(params.identities[name], piece)
    for name, take in params.takes.items():
        piece = pieces[take.target]
        values["takes"][name] |= {"clip": str(piece.clip), "truth": _cut_truth(take, piece, folder)}
    (folder / "params.yaml").write_text(json.dumps(values, indent=1), encoding="utf-8")  # JSON is YAML
    return list(pieces.values())


def _restrict(params: Params, stages: Iterable[str]) -> Params:
    """The params with those entries alone that the stages are for, and what these name; at least one person."""
    wanted: dict[str, set[str]] = {"identities": set(), "pairs": set(), "takes": set()}
    for name, _, key in (stage.partition("@") for stage in stages):
        if key:
            wanted[_SECTIONS.get(name, "identities")].add(key)
    takes = {key: take for key, take in params.takes.items() if key in wanted["takes"]}
    of_takes = {take.pair for take in takes.values()}
    pairs = {key: pair for key, pair in params.pairs.items() if key in wanted["pairs"] | of_takes}
    people = wanted["identities"] | {key for pair in pairs.values() for key in (pair.source, pair.target)}
    people = people or set(list(params.identities)[:1])
    identities = {key: identity for key, identity in params.identities.items() if key in people}
    return params.model_copy(update={"takes": takes, "pairs": pairs, "identities": identities})


def _choose_piece(name: str, params: Params) -> Piece:
    """Of the clip of a person's first take, or else of the first clip in the face set, the part that shows a face."""
    identity = params.identities[name]
    of_takes = [Path(take.clip) for take in params.takes.values() if take.target == name]
    in_faceset = [] if identity.faceset == "all" else [Path(identity.clips) / min(identity.faceset)]
    clip = [*of_takes, *in_faceset, *list_clips(Path(identity.clips))][0]
    return Piece(clip, _find_face(clip, Path(f"data/align/{name}/tracks.parquet")))


def _find_face(clip: Path, tracks: Path) -> int:
    """The first frame in which the last build used a face; the clip's first where there is no such build."""
    try:
        known = read_table(tracks, TRACKS, ["clip", "frame", "is_used"])
    except (UnderstudyError, OSError):
        return 0
    used = known.loc[(known["clip"] == clip.name) & known["is_used"], "frame"]
    return int(used.min()) if len(used) else 0


def _cut(source: Path, target: Path, first: int) -> None:
    if source.is_dir():
        _copy_pictures(source, target, first)
        return
    with VideoWriter(target, probe_clip(source), crf=CRF, preset="ultrafast") as writer:
        start: int | None = None
        for frame in islice(read_frames(source), first, first + N_FRAMES):
            start = frame.pts if start is None else start
            writer.write(frame.planes, frame.pts - start, frame.duration)


def _copy_pictures(source: Path, target: Path, first: int) -> None:
    """The same frames of a folder of pictures, as they are."""
    target.mkdir(parents=True)
    for file in [*read_folder(source).pictures[first : first + N_FRAMES], *source.glob(RATE_FILE)]:
        shutil.copy2(file, target / file.name)


def _write_edits(folder: Path, name: str, piece: Piece) -> None:
    """The decisions by hand on the clip, in the frames and with the hash of its piece."""
    edits = read_edits(EDITS / name / "tracks.csv")
    sha256 = hash_file(piece.clip) if edits else ""
    new = hash_file(folder / piece.clip)
    rows = [
        f"{new},{edit.first_frame - piece.first},{edit.end_frame - piece.first},{edit.x},{edit.y},"
        + ("use" if edit.is_used else "ignore")
        for edit in edits
        if edit.clip_sha256 == sha256
    ]
    target = folder / EDITS / name / "tracks.csv"
    target.parent.mkdir(parents=True)
    target.write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")


def _shrink(values: dict[str, Any]) -> dict[str, Any]:
    """Params that cost seconds; what is smaller already stays."""
    augment, train = values["augment"], values["train"]
    values["align"]["crop_px"] = min(values["align"]["crop_px"], 128)
    augment |= {"face_px": 64, "variants": min(augment["variants"], 2)}
    augment["validation_ratio"] = max(augment["validation_ratio"], 0.1)
    train |= {"size_px": 64, "size": "tiny", "batch": min(train["batch"], 4), "compile": False, "tensorboard": False}
    train |= {"device": "cpu", "devices": 1, "nodes": 1, "threads": 1}
    train |= dict.fromkeys(["validate_every", "checkpoint_every", "preview_every"], STEPS)
    length = {"steps": STEPS, "epochs": None, "until_loss": None, "patience": None}
    train["phases"] = [phase | length | {"warmup": min(phase["warmup"], 2)} for phase in train["phases"][:2]]
    return values


def _shrink_identity(identity: Identity, piece: Piece) -> dict[str, Any]:
    faceset = "all" if identity.faceset == "all" else [piece.clip.name]
    return {"faceset": faceset, "interval_s": min(identity.interval_s, 0.04)}


def _cut_truth(take: Take, piece: Piece, folder: Path) -> dict[str, str] | None:
    """The same frames of a take's truth, where it has one and the piece is of its own clip."""
    truth = take.truth
    if truth is None or Path(take.clip) != piece.clip:
        return None
    _cut(Path(truth.video), folder / truth.video, piece.first)
    write_table(_cut_table(truth, piece.first), folder / truth.table, TRUTH)
    hashes = {f"{kind}_sha256": hash_file(folder / getattr(truth, kind)) for kind in ("video", "table")}
    return truth.model_dump() | hashes


def _cut_table(truth: Truth, first: int) -> pd.DataFrame:
    frames = range(first, first + N_FRAMES)
    batches = read_batches(Path(truth.table), TRUTH)
    table = pd.concat([batch[batch["frame"].isin(frames)] for batch in batches], ignore_index=True)
    return table.assign(frame=table["frame"] - first)


def _copy(path: Path, folder: Path) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, folder / path)
