"""Who is who: how alike two faces look, and which tracks show an identity's person."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.crops import Picture

MIN_LIKENESS = 0.55  # measured on eight clips: one person in two shots 0.81 and more, two people up to 0.42
_GRID = 24

Look = NDArray[np.float32]


@dataclass(frozen=True)
class Candidate:
    """A track in one clip: the frames it spans, [first_frame, end_frame), how much of the clips it fills, its look.

    `is_alone`: it is the one face of a still.
    """

    clip: str
    track: int
    first_frame: int
    end_frame: int
    weight: float
    look: Look
    is_alone: bool = False


@dataclass(frozen=True)
class Verdict:
    """Whether a track shows the identity's person, and why."""

    is_used: bool
    reason: str


Verdicts = dict[tuple[str, int], Verdict]  # by clip and track


def describe_face(view: Picture) -> Look:
    """A unit vector of a face's look from its aligned view (square, RGB): local contrast of the luma, and color."""
    small = cv2.resize(view, (_GRID, _GRID), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    contrast = lab[..., 0] - cv2.GaussianBlur(lab[..., 0], (0, 0), _GRID / 6)
    color = cv2.resize(lab[..., 1:], (4, 4), interpolation=cv2.INTER_AREA).ravel()
    return _unit(np.concatenate([_unit(contrast.ravel()), 0.5 * _unit(color - color.mean())]))


def choose_person(candidates: list[Candidate]) -> list[Verdict]:
    """A verdict for each candidate: the person is who fills most of the clips, and what looks like it.

    Of two tracks that share frames only the one that fills more is used: nobody is in a frame twice. Who is alone in a
    still is taken for the person: one picture's look varies as much as two people's do, and somebody chose the still.
    """
    if not candidates:
        return []
    anchor = max(_join_alone(candidates), key=lambda c: c.weight)
    verdicts: dict[int, Verdict] = {}
    taken: list[Candidate] = []
    for index in sorted(range(len(candidates)), key=lambda i: -candidates[i].weight):
        candidate = candidates[index]
        verdicts[index] = _judge(candidate, likeness(anchor.look, candidate.look), taken)
        if verdicts[index].is_used:
            taken.append(candidate)
    return [verdicts[index] for index in range(len(candidates))]


def _join_alone(candidates: list[Candidate]) -> list[Candidate]:
    """The candidates, those alone in stills as one."""
    alone = [candidate for candidate in candidates if candidate.is_alone]
    others = [candidate for candidate in candidates if not candidate.is_alone]
    if not alone:
        return others
    look: Look = np.sum([candidate.look for candidate in alone], axis=0)
    return [replace(alone[0], weight=sum(candidate.weight for candidate in alone), look=look), *others]


def likeness(first: Look, second: Look) -> float:
    """Cosine of two looks (or sums of them): 1 for the same, around 0 for strangers."""
    return float(_unit(first) @ _unit(second))


def _judge(candidate: Candidate, alike: float, taken: list[Candidate]) -> Verdict:
    if candidate.is_alone:
        return Verdict(True, f"alone in a still (likeness {alike:.2f})")
    if alike < MIN_LIKENESS:
        return Verdict(False, f"another person (likeness {alike:.2f})")
    if any(_share_frames(candidate, other) for other in taken):
        return Verdict(False, f"beside the person (likeness {alike:.2f})")
    return Verdict(True, f"the person (likeness {alike:.2f})")


def _share_frames(first: Candidate, second: Candidate) -> bool:
    return first.clip == second.clip and first.first_frame < second.end_frame and second.first_frame < first.end_frame


def _unit(vector: NDArray[np.float32]) -> Look:
    return (vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(np.float32)
