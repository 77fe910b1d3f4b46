"""Run a grid of params as experiments of DVC, one after another or side by side; `dvc exp show` compares them.

    python -m flows.sweep NAME=V1,V2 [NAME=V1,V2 ...] [STAGE ...] [--jobs N]

Every combination starts from the last commit, in a folder of its own: the checkout stays as it is and can be worked in
(but a build of it waits for the end); only its register grows, by what the experiments make. Training starts anew, for
its resumable states are the checkout's own.
One that fails leaves the others. Run again, a sweep restores what is known and runs the rest.
"""

import argparse
import re
import shutil
import time
from collections.abc import Mapping
from functools import partial
from queue import Queue
from typing import Any

from errors import FlowError, one_line_errors
from flows import environment  # noqa: F401 (sets what Prefect reads when it is imported)

# isort: split
from prefect import State, Task, flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed

from flows.cancellation import cancellable
from flows.checkout import hold_checkout
from flows.command import run_command
from flows.environment import WORK
from flows.experiment import clone_commit, keep_experiments
from flows.graph import read_graph
from flows.grid import Combination, read_grid
from flows.outcome import Outcome
from flows.server import ensure_server
from flows.stage_process import StageProcesses
from flows.terminal import print_table, say
from trust.places import describe_places

CLONES = WORK / "sweep"
Future = PrefectFuture[State[Any]]
# What DVC says around an experiment.
_DVC_NOISE = re.compile(
    r"Reproducing experiment |Ran experiment|To apply the results|run:$|\tdvc exp |'.*\.dvc' didn't change"
    r"|WARNING: The following untracked files|\t\.dvc/"
)


@flow(name="sweep", validate_parameters=True)
@cancellable
def sweep(params: list[str], stages: list[str] | None = None, jobs: int = 1) -> State[Any]:
    """Run every combination of `params`, each `name=value,value`, as an experiment named by its values.

    `stages`: bring these and what they need up to date, none: all. `jobs` experiments run side by side.
    """
    with hold_checkout(partial(say, "sweep")):
        commit = read_commit()
        grid = read_grid(params)
        targets = find_targets(stages or [])
        shutil.rmtree(CLONES, ignore_errors=True)  # of a sweep that was killed
        run = _Run(commit, targets)
        with run.processes.all_ended():
            run.submit_all(grid, jobs)
        return run.conclude()


def read_commit() -> str:
    """The last commit, from which experiments start. Raises FlowError where that is not all there is.

    The register is none of what they start from: they add to the checkout's.
    """
    try:
        is_kept = bool(run_command(["git", "ls-files", "dvc.lock"]).strip())
    except FlowError:
        is_kept = False
    if not is_kept:
        raise FlowError(
            "git does not keep dvc.lock here, so experiments have nothing to start from; make a project of your own "
            "(make new-show DIR=../myshow), build it and commit"
        )
    changed = run_command(["git", "status", "--porcelain", "--", ".", ":(exclude)register"]).decode().splitlines()
    if changed:
        paths = ", ".join(line[3:] for line in changed[:3]) + (" and more" if len(changed) > 3 else "")
        raise FlowError(f"not committed: {paths}; commit first, for experiments start from the last commit")
    return run_command(["git", "rev-parse", "HEAD"]).decode().strip()


def find_targets(names: list[str]) -> list[str]:
    """The stages that `names` mean. Raises FlowError that lists the known ones."""
    graph = read_graph()
    return [stage for name in names for stage in graph.find(name)]


class _Run:
    """One run of the flow: its experiments, and what became of each."""

    def __init__(self, commit: str, targets: list[str]) -> None:
        self.processes = StageProcesses()
        self._commit = commit
        self._targets = targets
        self._futures: dict[str, Future] = {}
        self._seconds: dict[str, float] = {}

    def submit_all(self, grid: list[Combination], jobs: int) -> None:
        """Submit one combination after another, at most `jobs` at a time, and wait for all."""
        free: Queue[None] = Queue()
        for _ in range(jobs):
            free.put(None)
        for combination in grid:
            free.get()
            self._submit(combination, free)
        for _ in range(jobs):
            free.get()
        for future in self._futures.values():
            future.wait()  # it has ended; without this its state may be read from the server

    def conclude(self) -> State[Any]:
        """Print the table; the flow's own state."""
        states = {name: future.state for name, future in self._futures.items()}
        outcomes = {name: Outcome.COMPLETED if s.is_completed() else Outcome.FAILED for name, s in states.items()}
        errors = {name: _tell_error(state) for name, state in states.items() if not state.is_completed()}
        _tell_table(outcomes, self._seconds, errors)
        if not errors:
            return Completed(message=f"{len(outcomes)} experiments have run")
        return Failed(message="; ".join(f"{name}: {error}" for name, error in errors.items()))

    def _submit(self, combination: Combination, free: "Queue[None]") -> None:
        name, started = combination.name, time.monotonic()

        def end(_: Future) -> None:
            self._seconds[name] = time.monotonic() - started
            free.put(None)

        options: Task[..., State[Any]] = run_experiment.with_options(task_run_name=name)
        future: Future = options.submit(combination, self._commit, self._targets, self.processes)
        self._futures[name] = future
        future.add_done_callback(end)


@task(name="experiment", cache_policy=NO_CACHE, retries=0)
def run_experiment(combination: Combination, commit: str, targets: list[str], processes: StageProcesses) -> State[Any]:
    """One combination, kept as an experiment of the project's where it ends well."""
    logger = get_run_logger()
    name = combination.name

    def tell(line: str) -> None:
        if not _DVC_NOISE.match(line):
            logger.info(line)
            say(name, line)

    folder = CLONES / name
    settings = [word for setting in combination.settings for word in ("--set-param", setting)]
    try:
        with clone_commit(commit, folder):
            words = ["--cd", str(folder), "exp", "run", "--temp", "--name", name, *settings, *targets]
            processes.run_dvc(words, tell, changes=describe_places())
            keep_experiments(folder)
    except FlowError as error:
        say(name, f"{Outcome.FAILED}: {error}")
        return Failed(message=str(error), data=error)
    return Completed()


def _tell_error(state: State[Any]) -> str:
    error = state.result(raise_on_failure=False)
    return str(error) if isinstance(error, FlowError) else repr(error)


def _tell_table(outcomes: Mapping[str, Outcome], seconds: Mapping[str, float], errors: Mapping[str, str]) -> None:
    """Print what became of each experiment, and leave it in Prefect's UI."""
    print_table(outcomes, seconds)
    rows = [
        {"experiment": name, "outcome": outcome, "seconds": round(seconds[name], 1), "error": errors.get(name, "")}
        for name, outcome in outcomes.items()
    ]
    create_table_artifact(rows, key="experiments", description="What became of each combination.")
    print("compare them: dvc exp show --only-changed", flush=True)
    print("take one over: commit register, dvc exp apply NAME, git checkout HEAD -- register", flush=True)


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows.sweep", description="Run a grid of params as experiments.")
    parser.add_argument(
        "words",
        metavar="NAME=V1,V2|STAGE",
        nargs="+",
        help="a param with its values, as dvc exp run -S has it; or a stage to bring up to date (none: all)",
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="experiments side by side")
    arguments = parser.parse_args()
    if arguments.jobs < 1:
        parser.error("--jobs must be at least 1")
    return arguments


def main() -> None:
    with one_line_errors():
        arguments = _read_arguments()
        params = [word for word in arguments.words if "=" in word]
        stages = [word for word in arguments.words if "=" not in word]
        read_commit()
        read_grid(params)
        find_targets(stages)
        ensure_server()
        state = sweep(params=params, stages=stages, jobs=arguments.jobs, return_state=True)
        if not state.is_completed():
            raise FlowError(f"the sweep ended as {state.name}: {state.message}")


if __name__ == "__main__":
    main()
