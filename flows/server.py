"""A Prefect server for as long as a flow runs, where none was named: embedded SQLite, on loopback, under a guard.

Prefect's own temporary server outlives a flow that is killed; this one ends with it.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from prefect.context import refresh_global_settings_context
from prefect.settings import PREFECT_API_URL

from errors import FlowError
from flows.guard import start_guarded

WAIT_S = 120.0


def ensure_server() -> None:
    """Let flows of this process report to the server that PREFECT_API_URL names, or to one of their own.

    Nothing here ends it: Prefect sends its last lines while this process exits, and with the process the pipe closes.
    """
    if PREFECT_API_URL.value():
        return
    port = _find_port()
    log = Path(os.environ["PREFECT_HOME"]) / "server.log"
    command = [
        sys.executable,
        "-m",
        "prefect",
        "server",
        "start",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--no-ui",
    ]
    with log.open("wb") as output:
        process = start_guarded(command, os.environ, output)
    _wait(process, f"http://127.0.0.1:{port}/api/health", log)
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    refresh_global_settings_context()


def _find_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + WAIT_S
    while process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 (loopback)
                return
        except OSError:
            time.sleep(0.05)
    raise FlowError(f"Prefect's server did not start; {log} says why")
