"""Start what a team leaves running: a Prefect server with its page, the work pools, the deployments and a worker.

    python -m flows.up [--port 4200]        # make up; the address and password are printed
    python -m flows.up --down               # make down: ends exactly what this started

The server listens on this machine alone, asks for a password (made once, in .work/server/password) and tells nobody
that it runs. Its database is SQLite in .work/prefect, or the PostgreSQL that PREFECT_API_DATABASE_CONNECTION_URL names.
"""

import argparse
import os
import secrets
import socket
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from errors import FlowError, one_line_errors
from flows.command import run_module
from flows.daemons import end_daemon, is_running, list_daemons, start_daemon
from flows.environment import ROOT, WORK
from vision.whole import whole_file

SERVER = WORK / "server"
HEARTBEAT_S = 30  # between two signs of life of a flow's run; flows/set_up.py says how long it may be silent
WAIT_S = 120.0


def start(port: int) -> str:
    """Start all, or what is missing of it; the server's address. Raises FlowError."""
    environment = os.environ | make_environment(port, _read_password())
    url = f"http://127.0.0.1:{port}"
    if not is_running(SERVER, "server"):
        _check_port(port)
        command = ["server", "start", "--host", "127.0.0.1", "--port", str(port)]
        start_daemon(SERVER, "server", [sys.executable, "-m", "prefect", *command], environment)
    _wait_for_server(f"{url}/api/health")
    run_module("flows.set_up", folder=ROOT, environment=environment)
    run_module("prefect", "--no-prompt", "deploy", "--all", folder=ROOT, environment=environment)
    if not is_running(SERVER, "worker"):
        command = ["worker", "start", "--pool", "cpu", "--type", "process", "--name", "worker-1"]
        start_daemon(SERVER, "worker", [sys.executable, "-m", "prefect", *command], environment)
    return url


def stop() -> list[str]:
    """End what was started, the last first; the names of what still ran."""
    return [name for name in list_daemons(SERVER) if end_daemon(SERVER, name)]


def make_environment(port: int, password: str) -> dict[str, str]:
    """What server, worker and flows must find in their environment."""
    url = f"http://127.0.0.1:{port}"
    secret = f"admin:{password}"
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": str(ROOT),
        "UNDERSTUDY_ROOT": str(ROOT),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_API_AUTH_STRING": secret,
        "PREFECT_SERVER_API_AUTH_STRING": secret,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": url,
        "PREFECT_UI_API_URL": "/api",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S),
    }


def _read_password() -> str:
    path = SERVER / "password"
    if not path.exists():
        with whole_file(path) as partial:
            partial.touch(mode=0o600)
            partial.write_text(secrets.token_urlsafe(16) + "\n")
    return path.read_text().strip()


def _check_port(port: int) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", port))
        except OSError as error:
            raise FlowError(f"port {port} is taken by another program; end it, or give another: --port") from error


def _wait_for_server(url: str) -> None:
    end = time.monotonic() + WAIT_S
    while is_running(SERVER, "server") and time.monotonic() < end:
        try:
            with urlopen(url, timeout=5):  # noqa: S310 (loopback)
                return
        except HTTPError:
            return  # it asks for the password: it is there
        except OSError:
            time.sleep(0.1)
    raise FlowError(f"Prefect's server did not start; {SERVER / 'server.log'} says why")


def main() -> None:
    with one_line_errors():
        parser = argparse.ArgumentParser(prog="python -m flows.up", description="Start the server, its page, a worker.")
        parser.add_argument("--port", type=int, default=4200, help="of the server, on this machine alone")
        parser.add_argument("--down", action="store_true", help="end what this started")
        arguments = parser.parse_args()
        if arguments.down:
            print(f"ended: {', '.join(stop()) or 'nothing was running'}")
        else:
            print(f"page:     {start(arguments.port)}\npassword: admin:{_read_password()}")
            print(f"flows of this shell report there with PREFECT_API_URL and PREFECT_API_AUTH_STRING; logs: {SERVER}")


if __name__ == "__main__":
    main()
