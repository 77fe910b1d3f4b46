"""The rules of the house: who imports whom, one door per tool, and dvc.yaml's lists held against the code."""

import ast
import subprocess
import sys
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.imports import LAYERS, MODULES, ROOT, TREES, UNTRACKED, imports, reach

DOORS = {
    "albumentations": {"stages/augment.py"},
    "tensorboardX": {"models/board.py"},
    "av": {"vision/video_read.py", "vision/video_encode.py", "vision/video_write.py"},
    "c2pa": {"trust/credentials.py"},
    "cryptography": {"trust/keys.py", "trust/key_check.py", "trust/register.py", "trust/register_file.py"},
    "dask": {"flows/dask_engine.py"},
    "distributed": {"flows/dask_engine.py"},
    "PIL": {"vision/picture_read.py"},
    "dvc": {"flows/graph.py", "flows/grid.py", "flows/object_store.py", "flows/run_records.py"},
    "mediapipe": {"vision/face_graph.py"},
    "prefect": {"flows/"},
    "pydantic": {"stages/params.py", "trust/consent.py"},
    "pydantic_core": {"stages/params.py"},
    "ruamel": {"stages/params.py"},
    "sqlite3": {"trust/register_index.py"},
}
ARCH = "models/arch/${train.arch}.py"
MAX_LINES = 60


GRAPH = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
STAGES = [name for name in GRAPH if f"stages.{name}" in MODULES]


def _definition(stage: str) -> dict[str, Any]:
    entry: dict[str, Any] = GRAPH[stage].get("do", GRAPH[stage])
    return entry


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way_and_no_stage_imports_another(module: str) -> None:
    top = module.split(".", maxsplit=1)[0]
    for name in set(imports(TREES[module])) & set(MODULES):
        other = name.partition(".")[0]
        assert other == top or LAYERS[other] < LAYERS[top], f"{module} imports {name}: against the direction"
        is_other_stage = top == "stages" and name.removeprefix("stages.") in GRAPH and name != module
        assert not is_other_stage, f"{module} imports {name}: a stage imports no other stage"


@pytest.mark.parametrize("tool", DOORS)
def test_each_tool_has_one_door(tool: str) -> None:
    users = {
        str(MODULES[module].relative_to(ROOT))
        for module, tree in TREES.items()
        if any(name.split(".")[0] == tool for name in imports(tree))
    }
    strangers = {user for user in users if not user.startswith(tuple(DOORS[tool]))}
    assert not strangers, f"{tool} is imported outside its door {DOORS[tool]}"


def test_videos_leave_by_one_way_only() -> None:
    """What writes video: publishing; and made footage, which shows nobody, or cuts of a person's own clips."""
    writers = {"vision.video_write", "vision.video_encode"}
    users = {module for module, tree in TREES.items() if writers & set(imports(tree))} - writers
    assert users == {"trust.publish", "flows.small_case", "performers.render"}


def test_init_files_hold_a_docstring_and_nothing_else() -> None:
    for module, path in MODULES.items():
        if path.name == "__init__.py":
            body = TREES[module].body
            assert len(body) == 1, f"{path}: a docstring and no code"
            assert ast.get_docstring(TREES[module]), f"{path}: a docstring"


def test_no_handler_catches_every_exception() -> None:
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else "everything"
                assert caught not in {"Exception", "everything"}, f"{module}:{node.lineno} catches {caught}"


def test_no_function_is_longer_than_a_screen() -> None:
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                n_lines = (node.end_lineno or node.lineno) - node.lineno + 1
                assert n_lines <= MAX_LINES, f"{module}.{node.name} has {n_lines} lines, at most {MAX_LINES}"


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not {name for name in MODULES if {"utils", "util", "helpers", "common", "misc"} & set(name.split("."))}


def test_one_word_names_a_stage_everywhere() -> None:
    sections = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for stage, entry in GRAPH.items():
        assert _definition(stage)["cmd"] == f"python -m stages.{stage}"
        assert stage == "check" or stage in sections, f"params.yaml has no section {stage}"
        functions = {node.name for node in TREES[f"stages.{stage}"].body if isinstance(node, ast.FunctionDef)}
        assert {stage, "main"} <= functions, f"stages/{stage}.py has no function {stage} or no main"
        assert stage == "check" or set(entry) == {"foreach", "do"}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_exactly_the_files_that_it_imports(stage: str) -> None:
    reached = {str(MODULES[name].relative_to(ROOT)) for name in reach(f"stages.{stage}", beyond=UNTRACKED)}
    archs = {file for file in reached if file.startswith("models/arch/")}
    right = (reached - archs) | ({ARCH} if archs else set())
    listed = {dep for dep in _definition(stage)["deps"] if dep.endswith(".py")}
    paste = "\n".join(f"        - {file}" for file in sorted(right))
    assert listed == right, f"dvc.yaml: {stage}: the right list of Python files is\n{paste}"


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "check"])
def test_a_stage_lists_exactly_the_params_that_it_opens(stage: str) -> None:
    listed = set(_definition(stage)["params"])
    opened = _Opened(stage).paths
    templated = _templated(stage)
    right = sorted(opened - templated)
    assert listed == set(right), f"dvc.yaml: {stage}: params: {right}, but it lists {sorted(listed)}"


def test_check_depends_on_all_of_params() -> None:
    assert "params.yaml" in GRAPH["check"]["deps"]


def test_every_stage_waits_for_check() -> None:
    made = set(GRAPH["check"]["outs"])
    for stage in set(GRAPH) - {"check"}:
        assert made & set(_definition(stage)["deps"]), f"{stage} depends on nothing that check makes"


def test_importing_the_stages_loads_neither_prefect_nor_dvc() -> None:
    modules = ", ".join(f"stages.{stage}" for stage in STAGES)
    code = f"import sys, {modules}; print(sorted({{'prefect', 'dvc', 'dask', 'distributed'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


class _Opened(ast.NodeVisitor):
    """The params that a stage's main opens: chains rooted at the variable `params`, as dvc.yaml writes them."""

    def __init__(self, stage: str) -> None:
        self.paths: set[str] = set()
        self._entry = GRAPH[stage]["foreach"].strip("${}")
        self._names: dict[str, str] = {"params": ""}
        functions = [node for node in TREES[f"stages.{stage}"].body if isinstance(node, ast.FunctionDef)]
        self.visit(next(node for node in functions if node.name == "main"))

    def visit_Assign(self, node: ast.Assign) -> None:
        """`take = pick(params.takes, "takes", key)` gives a path another name and opens nothing yet."""
        path = self._resolve(node.value)
        target = node.targets[0]
        if path is not None and isinstance(target, ast.Name):
            self._names[target.id] = path
            self._visit_inside(node.value)
        elif ast.unparse(node.value) != "read_params()":
            self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> None:
        path = self._resolve(node) if isinstance(node, ast.expr) else None
        if path:
            self.paths.add(path)
            self._visit_inside(node)
        else:
            super().generic_visit(node)

    def _visit_inside(self, node: ast.AST) -> None:
        """Keys that a chain is opened with may be values of params themselves."""
        for child in ast.walk(node):
            if isinstance(child, ast.Subscript):
                self.visit(child.slice)
            elif isinstance(child, ast.Call):
                self.visit(child.args[-1])

    def _resolve(self, node: ast.expr) -> str | None:
        """`params.a[key].b` -> "a.${key}.b"; None for an expression that is no such chain."""
        match node:
            case ast.Name(id=name):
                return self._names.get(name)
            case ast.Attribute(value=value, attr=attr):
                path = self._resolve(value)
                return None if path is None else f"{path}.{attr}".lstrip(".")
            case ast.Subscript(value=value, slice=key) | ast.Call(func=ast.Name(id="pick"), args=[value, _, key]):
                path = self._resolve(value)
                return None if path is None else f"{path}.{self._template(key)}"
        return None

    def _template(self, key: ast.expr) -> str:
        path = self._resolve(key)
        if path is None:
            return "${key}"
        entry = f"{self._entry}.${{key}}."
        return f"${{{path.replace(entry, 'item.')}}}"


def _templated(stage: str) -> set[str]:
    """Params whose values stand in the paths that a stage depends on: DVC sees a change as another dependency."""
    entry = GRAPH[stage]["foreach"].strip("${}")
    found = set()
    for dep in _definition(stage)["deps"]:
        for part in dep.split("${")[1:]:
            name = part.split("}")[0]
            found.add(name.replace("item.", f"{entry}.${{key}}.") if name.startswith("item.") else name)
    return found
