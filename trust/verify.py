"""Tell what is known of a video file, wherever it comes from: credentials, consent, mark, register, alterations.

    python -m trust.verify FILE [--json]

Nothing is asked of the net. What each answer proves, and what not: docs/trust.md.
"""

import argparse
import json
import sys
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path

from errors import UnderstudyError
from trust.inspect import Inspection, inspect_video

# 1 is what Python itself leaves with after a crash: no answer.
VERIFIED, UNREADABLE, UNKNOWN, CONTRADICTED = 0, 2, 3, 4
EXIT_CODES = (
    "Exit code 0: its credentials are trusted, everybody's consent stands, and nothing speaks against the file; "
    "4: something does; 3: unknown; 2: it cannot be opened; 1: this program itself failed."
)
_SIGNS = {"yes": "yes    ", "no": "NO     ", "unknown": "unknown"}


def judge(inspection: Inspection) -> int:
    """The exit code that sums the answers up."""
    if inspection.is_contradicted:
        return CONTRADICTED
    return VERIFIED if inspection.is_verified else UNKNOWN


def main() -> None:
    about = "Tell what is known of a video file."
    parser = argparse.ArgumentParser(prog="python -m trust.verify", description=about, epilog=EXIT_CODES)
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--json", action="store_true", help="print the answers as JSON")
    arguments = parser.parse_args()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # whatever letters the terminal lacks
    try:
        if not arguments.file.is_file():
            raise FileNotFoundError(f"{arguments.file}: there is no such file; mend the path")
        inspection = inspect_video(arguments.file)
    except (UnderstudyError, OSError) as error:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        raise SystemExit(UNREADABLE) from None
    _print(inspection, is_json=arguments.json)
    raise SystemExit(judge(inspection))


def _print(inspection: Inspection, *, is_json: bool) -> None:
    if is_json:
        print(json.dumps(asdict(inspection), indent=2))
        return
    for question, answer in vars(inspection).items():
        print(f"{question:<12} {_SIGNS[answer.verdict]}  {answer.words}")


if __name__ == "__main__":
    main()
