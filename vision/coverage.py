"""What a source's face set lacks of what a target does: how the head is turned, mouth, eyes, and light.

A person's own measures are compared: eyes as a share of how far that person's are usually open.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NEAR_DEGREES = 7.5  # a source's face that is turned and tilted no further away shows a target's pose
TOLERANCE_DEGREES = 5.0  # past the furthest of the source's faces, within which a model still follows
CELL_DEGREES = 10
MIN_SHARE = 0.01  # of the target's frames from which on a lack is told
MOUTH_STEP, EYE_STEP, LIGHT_STEP = 0.1, 0.15, 12.0  # tolerances: gap / width, share of usual, grey levels

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Faces:
    """A person's faces, a value each, NaN where unknown.

    `yaw`, `pitch`: degrees; `mouth_open`: gap / width; `eye_open`: share of the usual opening; `light`: mean luma.
    """

    yaw: Values
    pitch: Values
    mouth_open: Values
    eye_open: Values
    light: Values

    @classmethod
    def of(cls, records: pd.DataFrame, light: Values) -> "Faces":
        """From rows of the tracks or the face set, and the light of some faces."""
        eyes = records["eye_open"].to_numpy(np.float64)
        usual = np.nanquantile(eyes, 0.75) if np.isfinite(eyes).any() else 1.0
        yaw, pitch, mouth = (records[name].to_numpy(np.float64) for name in ("yaw", "pitch", "mouth_open"))
        return cls(yaw, pitch, mouth, eyes / max(float(usual), 1e-6), light)


@dataclass(frozen=True)
class Lack:
    """Something that a share of the target's frames needs and the source's faces do not show."""

    share: float
    says: str


def measure_coverage(source: Faces, target: Faces, min_faces: int) -> dict[str, float]:
    """The share of the target's frames whose pose, mouth, eyes and light the source's faces show, 0 to 1, or NaN."""
    kinds = (("mouth_open", MOUTH_STEP), ("eye_open", EYE_STEP), ("light", LIGHT_STEP))
    near = {name: _count_near(getattr(source, name), getattr(target, name), step) for name, step in kinds}
    shares = {"pose": _share(_count_poses(source, target) >= min_faces, _is_posed(target))}
    for name, counts in near.items():
        shares[name] = _share(counts >= min_faces, np.isfinite(getattr(target, name)))
    return {f"covered_{name}_ratio": share for name, share in shares.items()}


def find_lacks(source: Faces, target: Faces, min_faces: int) -> list[Lack]:
    """What the source lacks, the most needed first; what fewer than MIN_SHARE of the frames need is left out."""
    if len(source.yaw) < min_faces:
        n_faces = len(source.yaw)
        return [Lack(1.0, f"Training may use {n_faces} of the source's faces, and fewer than {min_faces} show nothing")]
    found = [*_find_ends(source, target, min_faces), *_find_holes(source, target, min_faces)]
    return sorted((lack for lack in found if lack.share >= MIN_SHARE), key=lambda lack: -lack.share)


def count_cells(faces: Faces) -> pd.DataFrame:
    """Faces by cells of CELL_DEGREES: columns yaw, pitch (each cell's lower edge), share."""
    is_posed = _is_posed(faces)
    cells = pd.DataFrame({name: _cell(getattr(faces, name)[is_posed]) for name in ("yaw", "pitch")})
    return cells.value_counts(normalize=True).rename("share").reset_index().sort_values(["yaw", "pitch"])


@dataclass(frozen=True)
class _End:
    """One end of a measure: `sign` +1 for its high end; `says` with the limit put in."""

    measure: str
    sign: int
    tolerance: float
    says: str
    scale: float = 1.0


_ENDS = (
    _End("yaw", -1, TOLERANCE_DEGREES, "is turned further to the picture's left than a yaw of {:.0f} degrees"),
    _End("yaw", 1, TOLERANCE_DEGREES, "is turned further to the picture's right than a yaw of {:.0f} degrees"),
    _End("pitch", 1, TOLERANCE_DEGREES, "looks further up than a pitch of {:.0f} degrees"),
    _End("pitch", -1, TOLERANCE_DEGREES, "looks further down than a pitch of {:.0f} degrees"),
    _End("mouth_open", 1, MOUTH_STEP, "opens the mouth wider than {:.0f} % of its width", 100),
    _End("eye_open", -1, EYE_STEP, "shuts the eyes below {:.0f} % of the usual opening", 100),
    _End("eye_open", 1, EYE_STEP, "opens the eyes beyond {:.0f} % of the usual opening", 100),
    _End("light", -1, LIGHT_STEP, "is darker than a mean of {:.0f} grey levels"),
    _End("light", 1, LIGHT_STEP, "is lighter than a mean of {:.0f} grey levels"),
)


def _find_ends(source: Faces, target: Faces, min_faces: int) -> Iterator[Lack]:
    """Where the target goes further than all but a few of the source's faces."""
    for end in _ENDS:
        own, wanted = (_finite(getattr(faces, end.measure)) * end.sign for faces in (source, target))
        if len(own) < min_faces or not len(wanted):
            continue
        limit = np.sort(own)[-min_faces]
        share = float((wanted > limit + end.tolerance).mean())
        yield Lack(share, f"No source face {end.says.format(limit * end.sign * end.scale)}")


def _find_holes(source: Faces, target: Faces, min_faces: int) -> Iterator[Lack]:
    """Cells of turn and tilt, within the source's reach either way, that none of its faces is in or near."""
    is_posed = _is_posed(target)
    if not is_posed.any() or not _is_posed(source).any():
        return
    yaw, pitch = target.yaw[is_posed], target.pitch[is_posed]
    is_within = _is_within(yaw, source.yaw, min_faces) & _is_within(pitch, source.pitch, min_faces)
    is_missed = is_within & (_count_poses(source, target)[is_posed] < min_faces)
    cells = pd.DataFrame({"yaw": _cell(yaw[is_missed]), "pitch": _cell(pitch[is_missed])})
    for (left, low), n in cells.value_counts().items():
        yaws, pitches = (f"{edge:.0f} to {edge + CELL_DEGREES:.0f}" for edge in (left, low))
        yield Lack(n / len(yaw), f"No source face has a yaw of {yaws} with a pitch of {pitches} degrees")


def _is_within(values: Values, own: Values, min_faces: int) -> NDArray[np.bool_]:
    known = np.sort(_finite(own))
    index = min(min_faces, len(known)) - 1
    low, high = known[index] - TOLERANCE_DEGREES, known[-1 - index] + TOLERANCE_DEGREES
    return np.asarray((values >= low) & (values <= high))


def _count_poses(source: Faces, target: Faces) -> NDArray[np.int64]:
    """For each of the target's frames how many of the source's faces are turned and tilted alike."""
    is_posed = _is_posed(source)
    yaw, pitch = source.yaw[is_posed], source.pitch[is_posed]
    counts = [
        int(np.count_nonzero((np.abs(yaw - y) <= NEAR_DEGREES) & (np.abs(pitch - p) <= NEAR_DEGREES)))
        for y, p in zip(target.yaw, target.pitch, strict=True)
    ]
    return np.array(counts, np.int64)


def _count_near(own: Values, wanted: Values, step: float) -> NDArray[np.int64]:
    known = np.sort(_finite(own))
    counts: NDArray[np.int64] = np.searchsorted(known, wanted + step, "right") - np.searchsorted(known, wanted - step)
    return counts


def _share(is_covered: NDArray[np.bool_], is_known: NDArray[np.bool_]) -> float:
    return float(is_covered[is_known].mean()) if is_known.any() else float("nan")


def _is_posed(faces: Faces) -> NDArray[np.bool_]:
    return np.isfinite(faces.yaw) & np.isfinite(faces.pitch)


def _finite(values: Values) -> Values:
    return values[np.isfinite(values)]


def _cell(values: Values) -> Values:
    cells: Values = np.floor(values / CELL_DEGREES) * CELL_DEGREES
    return cells


def tell_lack(lack: Lack) -> str:
    """The lack as a sentence."""
    return f"{lack.says}; {100 * lack.share:.0f} % of the target's frames need it."
