"""Who is who: tracks grouped into people by their looks, and which of the people is the identity's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision.look import MIN_LIKENESS, Look, compare_looks

OWN, UNKNOWN = 0, -1  # the identity's own person; that of a track too short to tell
BY_HAND = "by hand"  # the reason of what a person decided
_NEVER = -2.0  # below every likeness: two tracks that are not one person, however alike

Likenesses = NDArray[np.float32]


@dataclass(frozen=True)
class Candidate:
    """A track in one clip: the frames it spans, [first_frame, end_frame), how much of the clips it fills, its look.

    `by_hand`: whether it is to be used, where a person decided that; `is_alone`: it is the one face of a still.
    """

    clip: str
    track: int
    first_frame: int
    end_frame: int
    weight: float
    look: Look
    by_hand: bool | None = None
    is_alone: bool = False

    @property
    def is_named(self) -> bool:
        """Whether it shows the person because somebody said so: by hand, or by choosing a still of nobody else."""
        return bool(self.by_hand) or (self.is_alone and self.by_hand is None)


@dataclass(frozen=True)
class Verdict:
    """Whether a track is used, why, and whom it shows: OWN, another number from 1, or UNKNOWN."""

    is_used: bool
    reason: str
    person: int


Verdicts = dict[tuple[str, int], Verdict]  # by clip and track


def judge_tracks(candidates: list[Candidate]) -> list[Verdict]:
    """A verdict for each candidate: used is who shows the identity's person, and what was decided by hand holds.

    That person is the one in the tracks used by hand, or else the one who fills most of the clips. Who is alone in a
    still is taken for the person: one picture's look varies as much as two people's do, and somebody chose the still.
    """
    if not candidates:
        return []
    likenesses = compare_looks([candidate.look for candidate in candidates])
    people = np.array(group_people(candidates, likenesses))
    return [_judge(index, candidates, people, likenesses[index]) for index in range(len(candidates))]


def group_people(candidates: list[Candidate], likenesses: Likenesses) -> list[int]:
    """The person of each candidate: OWN, the others from 1 by how much of the clips they fill.

    The two groups most alike are joined while their mean likeness is MIN_LIKENESS or more (average linkage), but never
    where two of their tracks share frames: nobody is in a frame twice. Tracks used by hand, and those alone in a still,
    are one group from the beginning, at least as like another as the best of them is, and never joined by what is
    ignored by hand: so a track goes with what it is more like.
    """
    groups = _Groups(np.where(_find_strangers(candidates), _NEVER, likenesses))
    named = [index for index, candidate in enumerate(candidates) if candidate.is_named]
    if named:
        groups.name(named)
    while (closest := groups.find_closest())[2] >= MIN_LIKENESS:
        groups.join(*closest[:2])
    return _number_people([group for group in groups.members if group], candidates)


def _find_strangers(candidates: list[Candidate]) -> NDArray[np.bool_]:
    """Which pairs are never one person: what shares frames, and what is used by hand with what is ignored: (N, N)."""
    clip = np.array([c.clip for c in candidates])
    first, end = (np.array([getattr(c, name) for c in candidates]) for name in ("first_frame", "end_frame"))
    is_beside = (clip == clip[:, None]) & (first < end[:, None]) & (first[:, None] < end)
    used, ignored = (np.array([c.by_hand is decision for c in candidates]) for decision in (True, False))
    strangers: NDArray[np.bool_] = is_beside | (used & ignored[:, None]) | (ignored & used[:, None])
    return strangers


class _Groups:
    """Groups of tracks, at first one each, with their likenesses; joined ones go on at the place of their first."""

    def __init__(self, likenesses: Likenesses) -> None:
        self.members = [[index] for index in range(len(likenesses))]
        self._links = likenesses.copy()
        np.fill_diagonal(self._links, _NEVER)
        self._named: int | None = None

    def name(self, tracks: list[int]) -> None:
        """Make one group of the tracks used by hand, as like others as the best of them."""
        self._named = tracks[0]
        self._merge(tracks, self._links[tracks].max(axis=0))

    def find_closest(self) -> tuple[int, int, float]:
        """The two groups most alike, and their likeness."""
        first, second = divmod(int(self._links.argmax()), len(self._links))
        return first, second, float(self._links[first, second])

    def join(self, first: int, second: int) -> None:
        """Join two groups; their likeness to others is the mean over their tracks, but the named one's never falls."""
        sizes = [len(self.members[first]), len(self.members[second])]
        links = np.average(self._links[[first, second]], axis=0, weights=sizes)
        if self._named in (first, second):
            links = np.maximum(links, self._links[self._named])
            self._named = first
        self._merge([first, second], links)

    def _merge(self, groups: list[int], links: NDArray[np.floating]) -> None:
        first, *others = groups
        is_never = (self._links[groups] == _NEVER).any(axis=0)
        self._links[others] = self._links[:, others] = _NEVER
        self._links[first] = self._links[:, first] = np.where(is_never, _NEVER, links)
        for other in others:
            self.members[first] += self.members[other]
            self.members[other] = []


def _number_people(groups: list[list[int]], candidates: list[Candidate]) -> list[int]:
    """Number the groups. OWN is the one used by hand, or else the one whose tracks not ignored by hand weigh most."""

    def weigh(group: list[int], *, without_ignored: bool) -> float:
        return sum(candidates[i].weight for i in group if not (without_ignored and candidates[i].by_hand is False))

    def rank(group: list[int]) -> tuple[bool, float]:
        return any(candidates[i].by_hand for i in group), weigh(group, without_ignored=True)

    own = max(groups, key=rank)
    has_own = any(candidates[i].by_hand is not False for i in own)
    others = [group for group in groups if not (has_own and group is own)]
    others.sort(key=lambda group: -weigh(group, without_ignored=False))
    number_of = dict.fromkeys(own, OWN) if has_own else {}
    number_of |= {i: number for number, group in enumerate(others, start=OWN + 1) for i in group}
    return [number_of[i] for i in range(len(candidates))]


def _judge(index: int, candidates: list[Candidate], people: NDArray[np.int64], likenesses: Likenesses) -> Verdict:
    """The verdict on one candidate, with its likeness to each (N,)."""
    candidate, person = candidates[index], int(people[index])
    own = [i for i in np.flatnonzero(people == OWN) if i != index]
    alike = float(likenesses[own].mean()) if own else None
    note = "" if alike is None else f" (likeness {alike:.2f})"
    if candidate.by_hand is not None:
        return Verdict(candidate.by_hand, BY_HAND, person)
    if candidate.is_alone:
        return Verdict(True, f"alone in a still{note}", person)
    if person == OWN:
        return Verdict(True, f"the person{note}", person)
    ignored = [i for i in np.flatnonzero(people == person) if candidates[i].by_hand is False]
    if ignored:
        return Verdict(False, f"person {person}, ignored by hand (likeness {likenesses[ignored].max():.2f})", person)
    where = "not the identity's" if alike is None or alike < MIN_LIKENESS else "beside the identity's"
    return Verdict(False, f"person {person}, {where}{note}", person)
