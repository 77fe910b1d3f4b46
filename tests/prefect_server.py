"""A Prefect server for the flows of a test or trial, as the flow starts one of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.imports import ROOT

SERVE = """
import os
from flows import environment
from flows.server import ensure_server
ensure_server()
print(os.environ["PREFECT_API_URL"], flush=True)
input()
"""


@contextmanager
def run_server(home: Path) -> Iterator[dict[str, str]]:
    """The server, with its files in `home`: the environment that names it."""
    environment = {"PREFECT_HOME": str(home)}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    with process:
        yield environment | {"PREFECT_API_URL": process.stdout.readline().strip()}
