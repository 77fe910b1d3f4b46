"""Build what params.yaml asks for: every stage of DVC's graph as a Prefect task, in order, side by side, retried.

    python -m flows.build [STAGE ...] [--downstream] [--force] [--pull] [--push] [--jobs N] [--retries N]
                          [--timeout STAGE=SECONDS] [--at STAGE=DEPLOYMENT]

DVC owns what (graph, cache, lock file), Prefect owns when. `dvc repro` alone gives the same results.
"""

import argparse
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from graphlib import TopologicalSorter
from queue import Queue
from typing import Any

from errors import FlowError, UnderstudyError, one_line_errors
from flows import environment  # noqa: F401 (sets what Prefect reads when it is imported)

# isort: split
import httpx
from prefect import State, Task, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run, task_run
from prefect.states import Completed, Failed

from flows.artifacts import tell_run
from flows.cancellation import cancellable
from flows.checkout import hold_checkout
from flows.elsewhere import build_elsewhere, check_asked
from flows.graph import Graph, push_results, read_graph
from flows.leftovers import keep_lock, mend_leftovers
from flows.outcome import Outcome
from flows.server import ensure_server
from flows.space import guarded_against_full_disk
from flows.stage_process import StageError, StageProcesses, StageTimeoutError, Way
from flows.terminal import print_table, say
from stages.check import EDITS, add_edits, check_files
from stages.params import read_params
from stages.permission import add_consent_folders

JOBS = 2  # two people's stages side by side; one training takes all cores by itself
Future = PrefectFuture[State[Any]]


def check_inputs() -> None:
    """What the stage `check` looks at, before DVC expands a key: a mistake is told at once. Raises UnderstudyError."""
    params = read_params()
    check_files(params)
    add_edits(params.identities, EDITS)
    add_consent_folders(params)


@flow(name="build", validate_parameters=True)
@cancellable
def build(
    only: list[str] | None = None,
    downstream: bool = False,
    force: bool = False,
    pull: bool = False,
    push: bool = False,
    jobs: int = JOBS,
    retries: int = 1,
    timeouts: dict[str, float] | None = None,
    places: dict[str, str] | None = None,
    asked_by: str = "",
) -> State[Any]:
    """Bring the stages `only` (none: all) and what they need up to date, and with `downstream` what needs them.

    `force` runs `only` in any case, on the run's first try and the stage's; `pull` gets from the remote what a stage
    needs and only that, and `push` gives it the results of a run that ended well, with DVC's record of runs (Restored
    elsewhere); `jobs` stages run side by side, each tried `retries` times more and ended after its seconds in
    `timeouts` (by name: `train` or `train@ben_as_ada`). `places` names by stage the deployment whose worker builds it
    in another clone; to that one's flow `asked_by` says by whom.
    """
    check_asked(asked_by)
    with hold_checkout(partial(say, "build")):
        check_inputs()
        mend_leftovers(partial(say, "build"))
        graph = read_graph()
        is_forced = force and flow_run.run_count == 1  # Prefect's retry of a run finishes it, and repeats nothing
        forced = {stage for name in only or graph.upstreams for stage in graph.find(name)} if is_forced else set()
        limits, wheres = graph.spell_out(timeouts or {}), graph.spell_out(places or {})
        selected = graph.select(only, downstream=downstream) if only else graph
        run = _Run(selected, _Plan(frozenset(forced), pull, retries, limits, wheres))
        with run.processes.all_ended():
            run.submit_all(jobs)
        state = run.conclude()
        if state.is_completed():
            keep_lock()
        if push and state.is_completed():
            push_results()
        return state


@dataclass(frozen=True)
class _Plan:
    """How a run goes about its stages: those to be forced, whether to pull, tries, and by stage seconds and places."""

    forced: frozenset[str]
    pull: bool
    retries: int
    timeouts: Mapping[str, float]
    places: Mapping[str, str]

    def way(self, stage: str) -> Way:
        return Way(stage in self.forced, self.pull, self.timeouts.get(stage), self.places.get(stage, ""))


class _Run:
    """One run of the flow: its graph, its processes, and what became of each stage."""

    def __init__(self, graph: Graph, plan: _Plan) -> None:
        self._graph = graph
        self._plan = plan
        self.processes = StageProcesses(graph.footprint)
        self._futures: dict[str, Future] = {}
        self._started: dict[str, float] = {}
        self._seconds: dict[str, float] = {}

    def submit_all(self, jobs: int) -> None:
        """Submit each stage when those that it needs have ended, at most `jobs` at a time."""
        ended: Queue[str] = Queue()
        sorter = TopologicalSorter(self._graph.upstreams)
        sorter.prepare()
        ready: list[str] = []
        n_running = 0
        while sorter.is_active():
            ready.extend(sorted(sorter.get_ready()))
            while ready and n_running < jobs:
                self._submit(ready.pop(0), ended)
                n_running += 1
            stage = ended.get()
            self._futures[stage].wait()  # at once: it has ended; without this its state may be read from the server
            n_running -= 1
            self._seconds[stage] = time.monotonic() - self._started[stage]
            self._tell_end(stage)
            sorter.done(stage)

    def conclude(self) -> State[Any]:
        """Print the table; the flow's own state."""
        outcomes = {stage: self._tell_outcome(stage) for stage in self._futures}
        print_table(outcomes, self._seconds)
        try:
            tell_run(outcomes, self._seconds)
        except (httpx.HTTPError, UnderstudyError) as error:  # what became of the stages is worth more than its page
            say("build", f"no artifacts of the run: {' '.join(str(error).split())}")
        failed = [stage for stage, outcome in outcomes.items() if outcome in (Outcome.FAILED, Outcome.TIMED_OUT)]
        if not failed:
            return Completed(message=f"{len(outcomes)} stages are up to date")
        return Failed(message="; ".join(f"{stage}: {self._tell_error(stage)}" for stage in failed))

    def _submit(self, stage: str, ended: Queue[str]) -> None:
        needed = [self._futures[name] for name in sorted(self._graph.upstreams[stage])]
        way = self._plan.way(stage)
        upstreams_are_cached = all(future.state.name == Outcome.CACHED for future in needed)
        is_unchanged = upstreams_are_cached and stage not in self._graph.changed and not way.force
        self._started[stage] = time.monotonic()
        options: Task[..., State[Any]] = run_stage.with_options(
            name=stage.split("@", maxsplit=1)[0], task_run_name=stage.replace("{", "{{"), retries=self._plan.retries
        )
        future: Future = options.submit(stage, self.processes, way, is_unchanged=is_unchanged, wait_for=needed)
        self._futures[stage] = future
        future.add_done_callback(lambda _: ended.put(stage))

    def _tell_outcome(self, stage: str) -> Outcome:
        state = self._futures[stage].state
        return Outcome(state.name) if state.name in list(Outcome) else Outcome.FAILED

    def _tell_end(self, stage: str) -> None:
        outcome = self._tell_outcome(stage)
        if outcome in (Outcome.FAILED, Outcome.TIMED_OUT):
            say(stage, f"{outcome}: {self._tell_error(stage)}")
        elif outcome is not Outcome.CACHED:
            say(stage, f"{outcome} after {self._seconds[stage]:.1f} s")

    def _tell_error(self, stage: str) -> str:
        error = self._futures[stage].state.result(raise_on_failure=False)
        return str(error) if isinstance(error, FlowError) else repr(error)


def _is_worth_a_retry(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    error = state.result(raise_on_failure=False)
    return not isinstance(error, FlowError) or (isinstance(error, StageError) and not error.is_final)


@task(cache_policy=NO_CACHE, retry_condition_fn=_is_worth_a_retry)
def run_stage(stage: str, processes: StageProcesses, way: Way, *, is_unchanged: bool) -> State[Any]:
    """One stage; the name of its state says what became of it."""
    if is_unchanged:
        return Completed(name=Outcome.CACHED.value)
    logger = get_run_logger()
    first_way = replace(way, force=way.force and task_run.run_count == 1)

    def tell(line: str) -> None:
        logger.info(line)
        say(stage, line)

    try:
        if way.place:
            build_elsewhere(stage, first_way, tell, lambda: processes.is_ended)
        outcome = processes.run(stage, tell, first_way)
    except StageTimeoutError as error:
        return Failed(name=Outcome.TIMED_OUT.value, message=str(error), data=error)
    return Completed(name=outcome.value)


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows.build", description="Build what params.yaml asks for.")
    parser.add_argument("stages", metavar="STAGE", nargs="*", help="align@ada, or align for all; with what they need")
    parser.add_argument("--downstream", action="store_true", help="also what needs the stages named")
    parser.add_argument("--force", action="store_true", help="run the stages named (none: all) in any case")
    parser.add_argument("--pull", action="store_true", help="get from the remote what a stage needs, and only that")
    parser.add_argument("--push", action="store_true", help="give the remote the results of a run that ended well")
    parser.add_argument("--jobs", type=int, default=JOBS, metavar="N", help="stages side by side")
    parser.add_argument("--retries", type=int, default=1, metavar="N", help="further tries of a stage that fails")
    parser.add_argument(
        "--timeout", type=_read_timeout, action="append", default=[], metavar="STAGE=S", help="seconds a stage may take"
    )
    parser.add_argument(
        "--at",
        type=_read_place,
        action="append",
        default=[],
        metavar="STAGE=DEPLOYMENT",
        help="have a stage built by the deployment's worker, in another clone with the same remote",
    )
    arguments = parser.parse_args()
    if arguments.jobs < 1 or arguments.retries < 0:
        parser.error("--jobs must be at least 1 and --retries at least 0")
    return arguments


def _read_timeout(text: str) -> tuple[str, float]:
    """`train=7200` -> the stage and its seconds."""
    stage, _, seconds = text.partition("=")
    limit = float(seconds)
    if not stage or not limit > 0:
        raise ValueError
    return stage, limit


def _read_place(text: str) -> tuple[str, str]:
    """`train=gpu` -> the stage and the deployment."""
    stage, _, deployment = text.partition("=")
    if not stage or not deployment:
        raise ValueError
    return stage, deployment


def main() -> None:
    logging.raiseExceptions = False  # no word of a log line that the server could not take: the terminal has it
    with one_line_errors(), guarded_against_full_disk():
        arguments = _read_arguments()
        check_inputs()
        ensure_server()
        state = build(
            only=arguments.stages,
            downstream=arguments.downstream,
            force=arguments.force,
            pull=arguments.pull,
            push=arguments.push,
            jobs=arguments.jobs,
            retries=arguments.retries,
            timeouts=dict(arguments.timeout),
            places=dict(arguments.at),
            return_state=True,
        )
        if not state.is_completed():
            raise FlowError(f"the build ended as {state.name}: {state.message}")


if __name__ == "__main__":
    main()
