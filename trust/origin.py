"""What a video was made from, by what, and who allowed it: as its manifest tells it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trust.label import Style

SOFTWARE = {"name": "Understudy", "version": "0.1.0"}
PROVENANCE = "org.understudy.provenance"
MARK = "org.understudy.mark.1"
_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_USES = ("ai_generative_training", "ai_training", "ai_inference", "data_mining")


@dataclass(frozen=True)
class Origin:
    """A take's origin. `clips`: SHA-256 of every clip of both people, by `identity/name`; `consent`: by identity the id
    of the record, or `unverified`; `lock_sha256`: that of dvc.lock, which lists the inputs of all stages."""

    take: str
    purpose: str
    target_clip: Path
    target_sha256: str
    clips: Mapping[str, str]
    consent: Mapping[str, str]
    checkpoint_sha256: str
    commit: str | None
    lock_sha256: str | None
    label: Style
    label_reason: str | None
    mark_id: int


def describe_origin(origin: Origin, title: str) -> dict[str, Any]:
    """The manifest of a video (C2PA 2.2), without the ingredient, which `target` names."""
    return {
        "claim_generator_info": [SOFTWARE],
        "title": title,
        "format": "video/mp4",
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": _list_actions()}},
            {"label": "cawg.training-mining", "data": _forbid_mining()},
            {"label": "c2pa.soft-binding", "data": {"alg": MARK, "blocks": [_bind(origin.mark_id)]}},
            {"label": PROVENANCE, "data": _tell(origin)},
        ],
    }


def format_mark(mark_id: int) -> str:
    """A mark's id as 16 hexadecimal digits."""
    return f"{mark_id:016x}"


def _list_actions() -> list[dict[str, Any]]:
    return [
        {"action": "c2pa.opened", "parameters": {"ingredientIds": ["target"]}},
        {
            "action": "c2pa.edited",
            "description": "a face was replaced by another person's",
            "digitalSourceType": _SOURCE_TYPE,
            "softwareAgent": SOFTWARE,
        },
    ]


def _forbid_mining() -> dict[str, Any]:
    return {"entries": {f"cawg.{use}": {"use": "notAllowed"} for use in _USES}}


def _bind(mark_id: int) -> dict[str, Any]:
    return {"scope": {}, "value": format_mark(mark_id)}


def _tell(origin: Origin) -> dict[str, Any]:
    return {
        "take": origin.take,
        "purpose": origin.purpose,
        "clips": dict(origin.clips),
        "checkpoint": origin.checkpoint_sha256,
        "commit": origin.commit,
        "dvc_lock": origin.lock_sha256,
        "consent": dict(origin.consent),
        "label": origin.label,
        "label_reason": origin.label_reason,
    }
