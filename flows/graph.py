"""The graph of stages as DVC reads it from dvc.yaml: the only door to DVC's own code."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dvc.exceptions import DvcException
from dvc.repo import Repo

from errors import FlowError


@dataclass(frozen=True)
class Graph:
    """Stages by DVC's name (`train@ben_as_ada`), each with those that it needs; and which have changed."""

    upstreams: Mapping[str, frozenset[str]]
    changed: frozenset[str]

    def select(self, names: Iterable[str]) -> "Graph":
        """The stages of these names (`align` means all of `align@...`) and all that they need. Raises FlowError."""
        wanted = [stage for name in names for stage in self.find(name)]
        found: set[str] = set()
        while wanted:
            stage = wanted.pop()
            if stage not in found:
                found.add(stage)
                wanted.extend(self.upstreams[stage])
        return Graph({name: needed for name, needed in self.upstreams.items() if name in found}, self.changed)

    def find(self, name: str) -> list[str]:
        """The stages that `name` means: one, or all keys of a stage. Raises FlowError."""
        found = [stage for stage in self.upstreams if stage == name or stage.split("@")[0] == name]
        if not found:
            raise FlowError(f"there is no stage {name!r}; known: {', '.join(sorted(self.upstreams))}")
        return found


def read_graph() -> Graph:
    """Read the graph, and compare every stage with dvc.lock once. Raises FlowError."""
    try:
        with Repo(_wait_for_lock=True) as repo:
            graph = repo.index.graph
            upstreams = {stage.addressing: frozenset(s.addressing for s in graph[stage]) for stage in graph}
            return Graph(upstreams, frozenset(repo.status()))
    except DvcException as error:
        raise FlowError(f"DVC cannot read the graph of stages: {error}") from error
