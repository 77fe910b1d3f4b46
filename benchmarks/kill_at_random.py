"""Kill builds of the small demo at random moments, and hold what the next build makes against an undisturbed one.

    python -m benchmarks.kill_at_random N [--seed S] [--stage STAGE ...] [--folder FOLDER]

N times, the stages in turn: one stage is put out of date, a build is started, and at a moment drawn from the stage's
whole run one process (the flow, dvc or the stage's python) gets SIGKILL. Two seconds later nothing of a killed flow may
be left; then a build must give the same bytes. Prints a table; exit code 1 where anything differed.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.prefect_server import run_server
from tests.project import Project
from tests.small_demo import make_small_demo

STAGES = (
    *("check", "sample@ada", "detect@ada", "align@ada", "augment@ada"),
    *("compare@ben_as_ada", "train@ben_as_ada", "convert@demo", "evaluate@demo"),
)
VICTIMS = ("flow", "dvc", "stage")
STEPS = 384  # of training, with a resumable state every few: longer than it takes to start
MARK = "UNDERSTUDY_KILLED"


@dataclass
class Round:
    """One kill and what came of it."""

    stage: str
    victim: str
    after_s: float
    orphans: list[str]
    is_same: bool
    differing: list[str]
    said: list[str]

    @property
    def is_well(self) -> bool:
        return self.is_same and not self.orphans


class Victims:
    """A build of the project with a kill in it. Its processes are known by a token in their environment."""

    def __init__(self, project: Project, server: dict[str, str], rng: random.Random) -> None:
        self._project, self._server, self._rng = project, server, rng

    def kill_one(self, stage: str, victim: str, seconds: float) -> tuple[float, list[str], str]:
        """Build until the kill: (moment after the victim appeared, what outlived it, what the build said)."""
        token = f"{self._rng.getrandbits(64):x}"
        delay = self._rng.uniform(0, seconds)
        with tempfile.TemporaryFile("w+") as output:
            flow = self._start(stage, token, output)
            try:
                seen = "stage" if victim == "stage" else "dvc"
                first = _wait_for_one(token, stage, seen, flow)
                time.sleep(delay if first else 0)
                pid = flow.pid if victim == "flow" else first
                is_killed = _is_alive(first) and _kill(pid)  # not after the stage's end
                if victim == "flow":
                    flow.wait()
                    time.sleep(2)
                else:
                    flow.wait(timeout=600)
                orphans = [command for _, command in list_processes(token)] if is_killed else ["not killed: too late"]
            finally:
                flow.kill()
            output.seek(0)
            return delay, orphans, output.read()

    def build(self) -> tuple[int, str]:
        done = self._project.run(sys.executable, "-m", "flows.build", **self._server, OMP_NUM_THREADS="1")
        return done.returncode, done.stdout + done.stderr

    def _start(self, stage: str, token: str, output: Any) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = os.environ | self._server | {"PATH": path, MARK: token, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "flows.build", stage]
        return subprocess.Popen(
            command, cwd=self._project.root, env=environment, stdout=output, stderr=subprocess.STDOUT
        )


def _wait_for_one(token: str, stage: str, kind: str, flow: subprocess.Popen[bytes]) -> int | None:
    """The process of DVC or of the stage's Python, as soon as it is there."""
    module = f"-m stages.{stage.split('@', maxsplit=1)[0]}"
    while flow.poll() is None:
        for pid, command in list_processes(token):
            is_dvc = "-m dvc" in command and "flows.guard" not in command and command.endswith(stage)
            is_stage = command.endswith(module) and "sh -c" not in command and "python" in command
            if is_dvc if kind == "dvc" else is_stage:
                return pid
        time.sleep(0.01)
    return None


def _is_alive(pid: int | None) -> bool:
    return pid is not None and Path(f"/proc/{pid}").exists()


def _kill(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def list_processes(token: str) -> Iterator[tuple[int, str]]:
    """Every living process with the token: number and command line."""
    wanted = f"{MARK}={token}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                if command:
                    yield int(folder.name), command
        except OSError:
            continue


def put_out_of_date(project: Project, stage: str) -> None:
    """Make a stage run in earnest: no result of it, no copy, no record and no state of a training is left."""
    yaml = YAML()
    lock = yaml.load((project.root / "dvc.lock").read_text())
    cache = project.root / ".dvc/cache/files/md5"
    for out in lock["stages"].pop(stage)["outs"]:
        path = project.root / out["path"]
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        listed = cache / out["md5"][:2] / out["md5"][2:]
        if out["md5"].endswith(".dir") and listed.exists():
            for entry in json.loads(listed.read_text()):
                (cache / entry["md5"][:2] / entry["md5"][2:]).unlink(missing_ok=True)
        listed.unlink(missing_ok=True)
    yaml.dump(lock, project.root / "dvc.lock")
    shutil.rmtree(project.root / ".dvc/cache/runs", ignore_errors=True)
    if stage.startswith("train@"):
        shutil.rmtree(project.root / ".work" / stage, ignore_errors=True)


def hash_results(project: Project) -> dict[str, str]:
    """SHA-256 of every result. The encoded video is known by the table of its pictures' hashes, which is among them."""
    files = [path for name in ("data", "metrics", "plots") for path in (project.root / name).rglob("*")]
    return {
        str(path.relative_to(project.root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
        if path.is_file() and path.suffix != ".mp4"
    }


def compare(first: dict[str, str], second: dict[str, str]) -> list[str]:
    return sorted(name for name in first | second if first.get(name) != second.get(name))


def _measure(project: Project, stage: str) -> float:
    """Seconds that the stage's `dvc repro` takes when nobody disturbs it."""
    put_out_of_date(project, stage)
    start = time.monotonic()
    done = project.run("dvc", "repro", "--single-item", stage, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stdout + done.stderr
    return time.monotonic() - start


def _train_longer(values: Any) -> None:
    values["train"].update(validate_every=24, checkpoint_every=4, preview_every=STEPS)
    values["train"]["phases"][0]["steps"] = STEPS


def kill_at_random(folder: Path, n_kills: int, seed: int, stages: Sequence[str] = STAGES) -> list[Round]:
    """Kill `n_kills` times in the project of `folder`, which is made; `stages` in turn."""
    rng = random.Random(seed)  # noqa: S311 (moments, no secrets)
    project = make_small_demo(folder / "demo")
    project.change(_train_longer)
    with run_server(folder / "prefect") as server:
        victims = Victims(project, server, rng)
        code, said = victims.build()
        assert code == 0, said
        undisturbed = hash_results(project)
        seconds = {stage: _measure(project, stage) for stage in stages}
        differing = compare(undisturbed, hash_results(project))
        assert not differing, f"two undisturbed builds differ: {differing}"
        rounds = []
        while len(rounds) < n_kills:
            stage = stages[len(rounds) % len(stages)]
            victim = rng.choice(VICTIMS)
            put_out_of_date(project, stage)
            after_s, orphans, first = victims.kill_one(stage, victim, seconds[stage])
            code, second = victims.build()
            differing = compare(undisturbed, hash_results(project))
            is_too_late = orphans == ["not killed: too late"]
            if is_too_late and code == 0 and not differing:
                continue
            rounds.append(
                Round(stage, victim, after_s, orphans, code == 0 and not differing, differing, [first, second])
            )
            _print_round(len(rounds), rounds[-1])
        return rounds


def _print_round(number: int, done: Round) -> None:
    verdict = "same" if done.is_same else f"DIFFERS: {done.differing}"
    left = f"LEFT: {done.orphans}" if done.orphans else "nothing left"
    again = re.findall(rf"^  {done.stage} +(\w+)", done.said[1], re.MULTILINE)
    steps = re.findall(r"train: goes on from step (\d+)", "".join(done.said)) if done.stage.startswith("train@") else []
    resumed = f"goes on from step {steps[0]}" if steps else ""
    line = (
        f"{number:3} {done.stage:17} {done.victim:5} after {done.after_s:5.2f} s  {left}  "
        f"next build: {' '.join(again)}, {verdict}  {resumed}"
    )
    print(line.rstrip(), flush=True)
    for line in done.said if not done.is_well else ():
        print(line, flush=True)


def _is_resumed(done: Round) -> bool:
    return any("train: goes on from step" in said for said in done.said)


def _print_verdict(rounds: list[Round]) -> None:
    table = Counter((done.stage, done.victim) for done in rounds)
    print(f"{'killed in':17}" + "".join(f"{victim:>7}" for victim in VICTIMS))
    for stage in STAGES:
        print(f"{stage:17}" + "".join(f"{table[stage, victim]:7}" for victim in VICTIMS))
    n_same = sum(done.is_same for done in rounds)
    n_left = sum(bool(done.orphans) for done in rounds)
    trained = [done for done in rounds if done.stage.startswith("train@")]
    resumed = sum(_is_resumed(done) for done in trained)
    print(f"{len(rounds)} kills: {n_same} builds with the same bytes, {n_left} with a process left over")
    print(f"{len(trained)} of them in training, which went on from its last state {resumed} times")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n_kills", metavar="N", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stage", dest="stages", action="append", choices=STAGES, help="only this one; repeatable")
    parser.add_argument("--folder", type=Path, help="a new folder for the project, kept; none: a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        rounds = kill_at_random(folder, arguments.n_kills, arguments.seed, arguments.stages or STAGES)
    _print_verdict(rounds)
    raise SystemExit(0 if all(done.is_well for done in rounds) else 1)


if __name__ == "__main__":
    main()
