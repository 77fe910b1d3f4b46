"""Serve one of the server's work pools from this checkout, until it is ended (Ctrl-C).

. .work/server/shell                # of the machine where `make up` was called, or the two variables by hand:
export PREFECT_API_URL=http://127.0.0.1:4200/api PREFECT_API_AUTH_STRING=admin:PASSWORD
python -m flows.worker gpu
"""

import argparse
import os
import signal
import sys

from errors import FlowError, one_line_errors
from flows.environment import describe_checkout


def serve_pool(pool: str, name: str) -> None:
    """Become Prefect's worker. Raises FlowError where no server is named."""
    if not os.environ.get("PREFECT_API_URL"):
        raise FlowError("PREFECT_API_URL names no server; . .work/server/shell sets it where make up was called")
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process", "--name", name]
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's job in the background ignores it; the worker ends by it
    os.execve(sys.executable, command, os.environ | describe_checkout())  # noqa: S606 (our own words)


def main() -> None:
    with one_line_errors():
        parser = argparse.ArgumentParser(prog="python -m flows.worker", description="Serve a work pool from here.")
        parser.add_argument("pool", help="cpu or gpu")
        parser.add_argument("--name", default=os.uname().nodename, help="of the worker in the page")
        arguments = parser.parse_args()
        serve_pool(arguments.pool, arguments.name)


if __name__ == "__main__":
    main()
