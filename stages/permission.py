"""Who must have agreed to what before a stage may run: the records of consent, held against params.yaml."""

from collections.abc import Iterator

from errors import ConsentError
from stages.params import Params, pick
from trust.clock import read_clock, tell_ahead
from trust.consent import CONSENT, UNVERIFIED, Purpose, check_consent

_OF_PAIRS = ("compare", "train")
_OF_TAKES = ("convert", "evaluate")

Need = tuple[str, Purpose]


def require_consent(stage: str, key: str, params: Params) -> None:
    """Refuse a stage whose people have not agreed, or no longer do. Raises ConsentError."""
    _require(_list_needs(stage, key, params), params)


def require_all_consent(params: Params) -> None:
    """Refuse params.yaml where anybody in it has not agreed to all that is asked of them. Raises ConsentError."""
    needs = [("sample", key) for key in params.identities]
    needs += [("train", key) for key in params.pairs] + [("convert", key) for key in params.takes]
    _require((need for stage, key in needs for need in _list_needs(stage, key, params)), params)


def is_recorded(consent: str) -> bool:
    """Whether a person's word in params.yaml says that there is a record."""
    return consent != UNVERIFIED


def add_consent_folders(params: Params) -> None:
    """Make the folders of people without a record: `sample` depends on each person's, to run anew when one changes."""
    for identity in params.identities:
        (CONSENT / identity).mkdir(parents=True, exist_ok=True)


def _list_needs(stage: str, key: str, params: Params) -> Iterator[Need]:
    """What a stage needs of whom: everybody's face is learnt, a take's people's is shown, for the take's purpose."""
    if stage in _OF_PAIRS:
        pair = pick(params.pairs, "pairs", key)
        yield from ((pair.source, "train"), (pair.target, "train"))
    elif stage in _OF_TAKES:
        take = pick(params.takes, "takes", key)
        pair = params.pairs[take.pair]
        yield from ((pair.source, "convert-source"), (pair.target, "convert-target"))
        yield from ((pair.source, take.purpose), (pair.target, take.purpose))
    else:
        pick(params.identities, "identities", key)
        yield key, "train"


def _require(needs: Iterator[Need], params: Params) -> None:
    purposes: dict[str, set[Purpose]] = {}
    for identity, purpose in needs:
        purposes.setdefault(identity, set()).add(purpose)
    now = read_clock()
    for identity, wanted in purposes.items():
        try:
            check_consent(identity, params.identities[identity].consent, wanted, now)
        except ConsentError as error:
            raise ConsentError(f"{error}{tell_ahead()}") from None
