"""How a take's video goes out, and what its manifest tells of its origin."""

import hashlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stages.params import Blend, Convert
from trust.consent import UNVERIFIED, read_record
from trust.origin import Origin
from trust.publish import Marking
from vision.hashing import hash_file
from vision.parts import read_clips

_LOCK = Path("dvc.lock")


@dataclass(frozen=True)
class Release:
    """Under which name and for what a take goes out, and of each of its people the table of parts of their clips and
    the word of params.yaml on consent."""

    take: str
    purpose: str
    parts: Mapping[str, Path]
    consent: Mapping[str, str]

    def mark(self, params: Convert, blend: Blend, clip_sha256: str, checkpoint_sha256: str) -> Marking:
        """What the video's pictures are given. The mark's id follows from what the video is made from alone."""
        made_from = [self.take, clip_sha256, checkpoint_sha256, repr(params), repr(blend)]
        digest = hashlib.sha256("\n".join(made_from).encode()).digest()
        is_verified = UNVERIFIED not in self.consent.values()
        return Marking(params.label, is_verified, int.from_bytes(digest[:8]), params.mark_strength)

    def tell_origin(
        self, params: Convert, marking: Marking, clip: Path, clip_sha256: str, checkpoint_sha256: str
    ) -> Origin:
        """What the manifest tells. Raises ConsentError for a record that cannot be read."""
        clips = {identity: read_clips(parts) for identity, parts in self.parts.items()}
        records = {
            who: word if word == UNVERIFIED else read_record(who).record_id for who, word in self.consent.items()
        }
        return Origin(
            take=self.take,
            purpose=self.purpose,
            target_clip=clip,
            target_sha256=clip_sha256,
            clips={f"{who}/{name}": sha256 for who, known in clips.items() for name, sha256 in known.items()},
            consent=records,
            checkpoint_sha256=checkpoint_sha256,
            commit=_read_commit(),
            lock_sha256=hash_file(_LOCK) if _LOCK.is_file() else None,
            label=params.label,
            label_reason=params.label_reason,
            mark_id=marking.mark_id,
        )


def _read_commit() -> str | None:
    """The commit that is checked out, with `+changes` where a tracked file is another; None without git."""
    commit = _ask_git("rev-parse", "HEAD")
    is_changed = bool(_ask_git("status", "--porcelain", "--untracked-files=no"))
    return f"{commit}{'+changes' if is_changed else ''}" if commit else None


def _ask_git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603, S607
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
