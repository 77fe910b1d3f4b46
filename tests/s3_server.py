"""An S3 server on loopback for tests and benchmarks: moto's, which keeps what it is given in memory.

It and what DVC needs for S3 are no part of the installation that `make` makes:

    .venv/bin/python -m pip install --constraint requirements.lock --group s3 'moto[server]==5.2.5'

(Both at once: moto alone would bring a botocore that aiobotocore excludes.)
"""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

import httpx

BUCKET = "understudy"
MISSING = [name for name in ("dvc_s3", "moto") if not find_spec(name)]
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}  # any are accepted
WAIT_S = 60.0


@dataclass(frozen=True)
class S3Server:
    """A running server with one empty bucket."""

    address: str

    def list_objects(self) -> dict[str, int]:
        """The bytes of each object in the bucket by its key; of the first thousand."""
        page = httpx.get(f"{self.address}/{BUCKET}?list-type=2").raise_for_status().text
        return {key: int(size) for key, size in re.findall(r"<Key>(.*?)</Key>.*?<Size>(\d+)</Size>", page, re.DOTALL)}


@contextmanager
def serve_s3() -> Iterator[S3Server]:
    """A server for as long as the block runs."""
    port = _find_port()
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            server = S3Server(f"http://127.0.0.1:{port}")
            _make_bucket(process, server)
            yield server
        finally:
            process.kill()


def _find_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _make_bucket(process: subprocess.Popen[bytes], server: S3Server) -> None:
    end = time.monotonic() + WAIT_S
    while process.poll() is None and time.monotonic() < end:
        try:
            httpx.put(f"{server.address}/{BUCKET}").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("moto's server did not start; python -m moto.server says why")
