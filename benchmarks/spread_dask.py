"""How much faster two Dask workers detect and align than one, and what the loss of a worker costs.

    python -m benchmarks.spread_dask CLIP [CLIP ...] [--times N]

needs the dependency group `dask`. A scheduler and workers of one core each (their libraries take one thread) run on
this machine; stages run with one worker, with two, and with two of which one is killed half-way. The clips are taken
as one identity's, each repeated N times; tables and face set must have the same bytes each time. A part has 200
frames at least, so short clips leave a worker idle at the end, and each worker loads its models first; the client,
which plans and writes, and the scheduler take their share of the cores as well.

Two clips of one person, 1,337 and 765 frames of 400x300, 4 times, on 2 cores of an AMD EPYC with AVX-512, 2026-11-30:

    one                detect 65.7 s   align 71.3 s
    two                detect 34.3 s   align 40.6 s
    two, one killed    detect 60.3 s   align 71.0 s

Once each: 17.0 s and 18.4 s with one, 10.7 s and 11.8 s with two.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

from distributed import Client, LocalCluster

from benchmarks.extraction import Folder, repeat_clip
from stages.params import read_params
from stages.spread import ENGINE
from vision.hashing import hash_file

ROOT = Path(__file__).resolve().parent.parent
KILL_S = 8.0  # after which one of two workers is killed
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Trial:
    """What a run took, in seconds, and the bytes it made."""

    detect_s: float
    align_s: float
    digest: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--times", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        identity = Folder(Path(temporary), read_params())
        for clip in arguments.clips:
            repeat_clip(clip, identity.root / "clips" / f"{clip.stem}.mp4", arguments.times)
        identity.sample()
        with _run_scheduler() as address:
            trials = {}
            for name, n_workers, is_killed in (("one", 1, False), ("two", 2, False), ("two, one killed", 2, True)):
                trials[name] = _try(identity, address, n_workers, is_killed=is_killed)
                print(f"{name}: detect {trials[name].detect_s:.1f} s, align {trials[name].align_s:.1f} s", flush=True)
    one, two = trials["one"], trials["two"]
    print(f"two workers: detect {one.detect_s / two.detect_s:.2f}, align {one.align_s / two.align_s:.2f} times as fast")
    print(f"the same bytes: {len({trial.digest for trial in trials.values()}) == 1}")


@contextmanager
def _run_scheduler() -> Iterator[str]:
    with LocalCluster(n_workers=0, dashboard_address=None, host="127.0.0.1") as cluster:
        yield cluster.scheduler_address


def _try(identity: Folder, address: str, n_workers: int, *, is_killed: bool) -> Trial:
    workers = [_start_worker(address, core) for core in range(n_workers)]
    try:
        with Client(address) as client:
            client.wait_for_workers(n_workers)
        if is_killed:
            Timer(KILL_S, workers[0].send_signal, (signal.SIGKILL,)).start()
        os.environ[ENGINE] = f"dask:{address}"
        return _run_stages(identity)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def _start_worker(address: str, core: int) -> "subprocess.Popen[bytes]":
    """A worker that has one core for itself."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(ROOT)}
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    worker = subprocess.Popen([*command, "--no-nanny"], env=environment, cwd=ROOT, **silent)
    os.sched_setaffinity(worker.pid, {core})
    return worker


def _run_stages(identity: Folder) -> Trial:
    detect_s, align_s = _time(identity.detect), _time(identity.align)
    made = [identity.table("detections"), identity.table("tracks"), *sorted((identity.root / "faceset").iterdir())]
    return Trial(detect_s, align_s, tuple(map(hash_file, made)))


def _time(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
