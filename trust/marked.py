"""Whether a video that was made here says so: what `evaluate` asks of the one that `convert` left."""

from pathlib import Path

from errors import TrustError
from trust.credentials import read_credentials
from trust.judge_credentials import judge_credentials
from trust.judge_mark import judge_mark, read_pictures


def require_marked(path: Path) -> None:
    """It must be trusted, and carry the mark that its credentials tell. Raises TrustError."""
    credentials = read_credentials(path)
    for answer in (judge_credentials(credentials), judge_mark(read_pictures(path), credentials.mark)):
        if answer.verdict != "yes":
            raise TrustError(f"{path}: {answer.words}; run its stage convert again")
