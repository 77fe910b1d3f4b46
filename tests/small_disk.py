"""A small disk for a test: a tmpfs in a mount namespace of its own, as root or in a user namespace, gone with it."""

import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_AS_ROOT, _AS_USER = ("unshare", "--mount"), ("unshare", "--user", "--map-root-user", "--mount")
_MOUNT = 'mount -t tmpfs -o size="$1" tmpfs "$2"'


def run_on_small_disk(
    disk: Path, size: str, script: str, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a shell script in the folder `disk`, an empty disk of `size` (`1m`). Skips the test where none can be."""
    disk.mkdir(parents=True, exist_ok=True)
    command = [*_find_way(), "sh", "-c", f'{_MOUNT} && cd "$2" && {{\n{script}\n}}', "sh", size, str(disk)]
    return subprocess.run(
        command, cwd=ROOT, env=dict(environment), capture_output=True, text=True, check=False, timeout=1800
    )


@cache
def _find_way() -> tuple[str, ...]:
    for way in (_AS_ROOT, _AS_USER):
        command = [*way, "sh", "-c", _MOUNT, "sh", "1m", "/tmp"]  # noqa: S108 (in a namespace of its own)
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return way
    pytest.skip("a small disk needs root, or user namespaces (unshare --user --map-root-user --mount)")
