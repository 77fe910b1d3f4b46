"""Tell what is known of a video file, wherever it comes from: credentials, mark, register, alterations.

    python -m trust.verify FILE [--json]

Exit code 0: its credentials are trusted, and nothing speaks against them; 1: something does; 3: unknown; 2: it cannot
be opened. Nothing is asked of the net. What each answer proves, and what not: docs/trust.md.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from errors import UnderstudyError
from trust.inspect import Inspection, inspect_video

VERIFIED, CONTRADICTED, UNREADABLE, UNKNOWN = 0, 1, 2, 3
_SIGNS = {"yes": "yes    ", "no": "NO     ", "unknown": "unknown"}


def judge(inspection: Inspection) -> int:
    """The exit code that sums the answers up."""
    if inspection.is_contradicted:
        return CONTRADICTED
    return VERIFIED if inspection.is_verified else UNKNOWN


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m trust.verify", description="Tell what is known of a video file.")
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--json", action="store_true", help="print the answers as JSON")
    arguments = parser.parse_args()
    try:
        if not arguments.file.is_file():
            raise FileNotFoundError(f"{arguments.file}: there is no such file; mend the path")
        inspection = inspect_video(arguments.file)
    except (UnderstudyError, OSError) as error:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        raise SystemExit(UNREADABLE) from None
    if arguments.json:
        print(json.dumps(asdict(inspection), indent=2))
    else:
        for question, answer in asdict(inspection).items():
            print(f"{question:<12} {_SIGNS[answer['verdict']]}  {answer['words']}")
    raise SystemExit(judge(inspection))


if __name__ == "__main__":
    main()
