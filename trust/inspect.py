"""What can be told of a video file, from anywhere: its credentials, the consent that they tell of, its mark, its place
in the register, and what was altered since. Each answer stands by itself, `unknown` included.
"""

from dataclasses import dataclass
from pathlib import Path

from trust.answer import Answer
from trust.credentials import Credentials, read_credentials
from trust.judge_consent import judge_consent
from trust.judge_credentials import judge_credentials
from trust.judge_mark import judge_mark, read_pictures
from trust.judge_register import judge_register
from trust.mark_read import Reading
from vision.hashing import hash_file


@dataclass(frozen=True)
class Inspection:
    """What was found of a file. `altered`: whether it is as it was published, as far as can be told."""

    credentials: Answer
    consent: Answer
    mark: Answer
    register: Answer
    altered: Answer

    @property
    def is_verified(self) -> bool:
        """Trusted credentials, everybody's consent, and nothing that speaks against them."""
        return self.credentials.verdict == self.consent.verdict == "yes" and not self.is_contradicted

    @property
    def is_contradicted(self) -> bool:
        return "no" in {answer.verdict for answer in vars(self).values()}


def inspect_video(path: Path) -> Inspection:
    """All answers on a file. Raises ClipError or OSError where it cannot be opened at all."""
    sha256 = hash_file(path)
    credentials = read_credentials(path)
    pictures = read_pictures(path)
    register = judge_register(sha256, pictures, credentials)
    return Inspection(
        credentials=judge_credentials(credentials),
        consent=judge_consent(credentials),
        mark=judge_mark(pictures, credentials.mark),
        register=register,
        altered=_judge_altered(credentials, pictures.reading, is_registered=register.verdict == "yes"),
    )


def _judge_altered(credentials: Credentials, reading: Reading, *, is_registered: bool) -> Answer:
    """The register knows every byte; a signature leaves out boxes that hold neither pictures nor sound."""
    if credentials.state == "altered":
        return Answer("no", "the file is not the one that was signed")
    if is_registered:
        return Answer("yes", "every byte is as it was registered")
    if credentials.state == "trusted":
        return Answer("yes", "pictures and sound are as they were signed")
    if credentials.state == "unknown signer":
        return Answer("unknown", "it is as that unknown signer signed it; anybody can alter a video and sign it anew")
    return _judge_pictures(reading)


def _judge_pictures(reading: Reading) -> Answer:
    """What the mark alone tells of alterations."""
    if reading.missing:
        boxes = ", ".join(f"x {box[0]} to {box[2]}, y {box[1]} to {box[3]}" for box in reading.missing)
        return Answer(
            "unknown", f"the mark is missing in a part of the pictures ({boxes}): look whether it was replaced"
        )
    if reading.mark_id is not None:
        return Answer("unknown", "the mark is there in all parts of the pictures; what else was changed cannot be told")
    return Answer("unknown", "there is nothing to hold the pictures against")
