"""Fill the disk while a stage of the small demo runs, free it again, and hold what the next build makes.

    python -m benchmarks.fill_disk [STAGE ...]

The whole project lies on a small disk (tests/small_disk.py), Prefect's database too. For each stage: as soon as it runs
the disk is filled to its last byte; the build's last line must name the disk; with the space free again the next build
must succeed by itself, with the bytes of an undisturbed one. Exit code 1 where anything was otherwise.
"""

import argparse
import contextlib
import os
import shutil
import sys
import time
from pathlib import Path

from benchmarks.kill_at_random import MARK, compare, hash_results, list_processes, put_out_of_date
from tests.project import ROOT, Project
from tests.small_demo import make_small_demo
from tests.small_disk import run_on_small_disk

STAGES = (
    "sample@ada",
    "detect@ada",
    "align@ada",
    "compare@ben_as_ada",
    "augment@ada",
    "train@ben_as_ada",
    "convert@demo",
    "evaluate@demo",
)
SIZE = "400m"  # the demo, 100 MB that a stage wants free before it starts, and room for a filler
INSIDE = "UNDERSTUDY_ON_SMALL_DISK"
SMALLEST = 4096


def fill_disk(disk: Path, stages: list[str]) -> bool:
    """Build on `disk`, and try every stage; whether all went as it should."""
    project = make_small_demo(disk / "demo")
    code, said = _build(project)
    assert code == 0, said
    undisturbed = hash_results(project)
    verdicts = [_try_stage(project, stage, undisturbed) for stage in stages]
    return all(verdicts)


def _try_stage(project: Project, stage: str, undisturbed: dict[str, str]) -> bool:
    put_out_of_date(project, stage)
    ballast = project.root.parent / "ballast"
    token = f"{stage}-{time.monotonic_ns()}"
    filler = os.fork()
    if filler == 0:
        _fill_when_running(ballast, stage, token)
        os._exit(0)
    code, said = _build(project, token)
    os.waitpid(filler, 0)
    last = said.rstrip().splitlines()[-1]
    is_named = code == 1 and last.startswith("error: ") and f"no space left on {ballast.parent} (" in last
    ballast.unlink(missing_ok=True)
    code, again = _build(project)
    differing = compare(undisturbed, hash_results(project))
    is_well = is_named and code == 0 and not differing
    verdict = "the next build is the same" if code == 0 and not differing else f"code {code}, differing: {differing}"
    print(f"{stage:17} {'ok    ' if is_well else 'FAILED'} {verdict}\n    {last}", flush=True)
    if not is_well:
        print(said, again, flush=True)
    return is_well


def _fill_when_running(ballast: Path, stage: str, token: str) -> None:
    """Take the disk's last byte as soon as the stage's Python is there, and again what is freed, until it has ended."""
    module = f"-m stages.{stage.split('@', maxsplit=1)[0]}"
    end = time.monotonic() + 300
    is_seen = False
    while time.monotonic() < end:
        is_there = any(command.endswith(module) for _, command in list_processes(token))
        if is_seen and not is_there:
            return
        is_seen = is_seen or is_there
        if is_seen:
            _fill(ballast)
        time.sleep(0.01)


def _fill(ballast: Path) -> None:
    with ballast.open("ab") as file, contextlib.suppress(OSError):
        while (free := shutil.disk_usage(ballast.parent).free) >= SMALLEST:
            os.posix_fallocate(file.fileno(), file.tell(), free)
            file.seek(0, os.SEEK_END)


def _build(project: Project, token: str = "") -> tuple[int, str]:
    environment = {MARK: token, "OMP_NUM_THREADS": "1", "PREFECT_API_URL": ""}
    done = project.run(sys.executable, "-m", "flows.build", **environment)
    return done.returncode, done.stdout + done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", metavar="STAGE", nargs="*", help="none: all")
    stages = parser.parse_args().stages or list(STAGES)
    if INSIDE in os.environ:
        raise SystemExit(0 if fill_disk(Path(os.environ[INSIDE]), stages) else 1)
    disk = ROOT / ".work" / "small_disk"
    script = f'cd "{ROOT}" && "{sys.executable}" -m benchmarks.fill_disk {" ".join(stages)}'
    done = run_on_small_disk(disk, SIZE, script, os.environ | {INSIDE: str(disk)})
    print(done.stdout + done.stderr, end="")
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
