"""What must stand in the environment before Prefect and DVC are imported; importing this module sets it.

Nobody is told that the project runs (no analytics), nothing is written into the user's home, and Prefect's own
console stays quiet: the flow prints its lines itself. What the user has set is left as it is.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".work"
HEARTBEAT_S = 30  # between two signs of life of a flow's run; flows/set_up.py says how long it may be silent


DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S),
    "PREFECT_HOME": str(WORK / "prefect"),
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}


def describe_checkout() -> dict[str, str]:
    """What processes that run this checkout's flows must find in their environment, wherever they are started."""
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": str(ROOT),
        "UNDERSTUDY_ROOT": str(ROOT),
    }


def _prepare() -> None:
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    # Prefect makes its home, but not the folder around it, and then goes on without a database.
    Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)


_prepare()
