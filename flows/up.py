"""Start what a team leaves running: a Prefect server with its page, the work pools, the deployments and a worker.

    python -m flows.up [--port 4200]        # make up; the address and password are printed
    python -m flows.up --down               # make down: ends exactly what this started
    . .work/server/shell                    # Prefect's own commands of this shell ask that server, and tell nobody else

The server listens on this machine alone, asks for a password (made once, in .work/server/password) and tells nobody
that it runs. Its database is SQLite in .work/prefect, or the PostgreSQL that PREFECT_API_DATABASE_CONNECTION_URL names.
"""

import argparse
import base64
import hashlib
import os
import secrets
import shlex
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from errors import FlowError, one_line_errors
from flows.command import run_module
from flows.daemons import end_daemon, is_running, list_daemons, start_daemon
from flows.environment import DEFAULTS, ROOT, WORK, describe_checkout
from vision.whole import whole_file

SERVER = WORK / "server"
WAIT_S = 120.0


def start(port: int) -> str:
    """Start all, or what is missing of it; the server's address. Raises FlowError."""
    environment = os.environ | make_environment(port, _read_password())
    url = f"http://127.0.0.1:{port}"
    if is_running(SERVER, "server"):
        _check_address(url)
    else:
        _check_port(port)
        _write_secret("shell", _write_exports(environment))
        command = ["server", "start", "--host", "127.0.0.1", "--port", str(port)]
        start_daemon(SERVER, "server", [sys.executable, "-m", "prefect", *command], environment)
    _wait_for_server(f"{url}/api/health")
    run_module("flows.set_up", folder=ROOT, environment=environment)
    _deploy(environment)
    if not is_running(SERVER, "worker"):
        command = [sys.executable, "-m", "flows.worker", "cpu", "--name", "worker-1"]
        start_daemon(SERVER, "worker", command, environment)
    return url


def stop() -> list[str]:
    """End what was started, the last first; the names of what still ran."""
    return [name for name in list_daemons(SERVER) if end_daemon(SERVER, name)]


def make_environment(port: int, password: str) -> dict[str, str]:
    """What server, worker and flows must find in their environment."""
    url = f"http://127.0.0.1:{port}"
    secret = f"admin:{password}"
    return describe_checkout() | {
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_API_AUTH_STRING": secret,
        "PREFECT_SERVER_API_AUTH_STRING": secret,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": url,
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_UI_V2_ENABLED": "false",  # the newer page asks a company's server, whatever one sets
        "PREFECT_UI_API_URL": "/api",
    }


def _read_password() -> str:
    path = SERVER / "password"
    if not path.exists():
        _write_secret("password", secrets.token_urlsafe(16) + "\n")
    return path.read_text().strip()


def _write_secret(name: str, text: str) -> None:
    """A file for this user's eyes alone."""
    with whole_file(SERVER / name) as partial:
        partial.touch(mode=0o600)
        partial.write_text(text)


def _write_exports(environment: Mapping[str, str]) -> str:
    """What a shell needs to ask this server, as lines for it to read."""
    names = [*DEFAULTS, "PREFECT_API_URL", "PREFECT_API_AUTH_STRING"]
    return "".join(f"export {name}={shlex.quote(environment[name])}\n" for name in names)


def _check_address(url: str) -> None:
    exports = SERVER / "shell"
    if exports.exists() and f"{url}/api\n" not in exports.read_text():
        raise FlowError(f"the server runs already, on another port than {url} ({exports} names it); make down ends it")


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


def _deploy(environment: Mapping[str, str]) -> None:
    """Make the deployments of prefect.yaml where it, or the server's database, is new.

    Once more would take back what was switched on since.
    """
    mark = Path(environment["PREFECT_HOME"]) / "deployed"
    wanted = hashlib.sha256((ROOT / "prefect.yaml").read_bytes()).hexdigest()
    if not mark.exists() or mark.read_text() != wanted or not _knows_deployments(environment):
        run_module("prefect", "--no-prompt", "deploy", "--all", folder=ROOT, environment=environment)
        with whole_file(mark) as partial:
            partial.write_text(wanted)


def _knows_deployments(environment: Mapping[str, str]) -> bool:
    secret = base64.b64encode(environment["PREFECT_API_AUTH_STRING"].encode()).decode()
    url = f"{environment['PREFECT_API_URL']}/deployments/name/build/build"
    try:
        with urlopen(Request(url, headers={"Authorization": f"Basic {secret}"}), timeout=30):  # noqa: S310 (loopback)
            return True
    except HTTPError:
        return False


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
            print(f"flows and prefect's commands of a shell find it after: . {SERVER / 'shell'}\nlogs:     {SERVER}")


if __name__ == "__main__":
    main()
