"""Whether a video that was made here says so: what `evaluate` asks of the one that `convert` left."""

from pathlib import Path

from errors import TrustError
from trust.credentials import read_credentials
from trust.judge_credentials import judge_credentials
from trust.judge_mark import judge_mark, read_pictures
from trust.mark_read import STRENGTHEN

CONVERT_AGAIN = "run its stage convert again"


def require_marked(path: Path) -> None:
    """It must be trusted, and carry the mark that its credentials tell. Raises TrustError."""
    credentials = read_credentials(path)
    signed = judge_credentials(credentials)
    if signed.verdict != "yes":
        raise TrustError(f"{path}: {signed.words}; {CONVERT_AGAIN}")
    mark = judge_mark(read_pictures(path, n_looks=0), credentials.mark)
    if mark.verdict != "yes":
        raise TrustError(f"{path}: {mark.words}; {STRENGTHEN if mark.verdict == 'unknown' else CONVERT_AGAIN}")
