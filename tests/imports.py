"""What the repository's modules import, read from their text."""

import ast
from collections.abc import Collection, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = {"disk": 0, "errors": 1, "vision": 2, "models": 3, "trust": 3, "performers": 3, "stages": 4, "flows": 5}

# DVC tracks the values that params reads; messages change no result, nor does who did the work, or who allowed it.
UNTRACKED = {
    *("disk", "errors", "stages.originals", "stages.params", "stages.permission", "stages.processes"),
    *("stages.progress", "stages.spread"),
    *("trust.clock", "trust.consent", "trust.foreign_text", "trust.key_check", "trust.keys", "trust.places"),
    "trust.register",
}


def _find_modules() -> dict[str, Path]:
    files = [ROOT / "disk.py", ROOT / "errors.py"] + [f for top in LAYERS for f in sorted((ROOT / top).rglob("*.py"))]
    return {".".join(f.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): f for f in files}


MODULES = _find_modules()
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def imports(tree: ast.AST) -> Iterator[str]:
    """The full names that a module imports, wherever in it; for `from a import b` both `a` and `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reach(module: str, beyond: Collection[str] = ()) -> set[str]:
    """The repository's modules that `module` needs, itself among them; of packages only what is named.

    Those in `beyond` are left out, and what only they need.
    """
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or name in beyond or name not in MODULES or MODULES[name].name == "__init__.py":
            continue
        found.add(name)
        waiting += imports(TREES[name])
        if _imports_an_arch(TREES[name]):
            waiting += [arch for arch in MODULES if arch.startswith("models.arch.")]
    return found


def _imports_an_arch(tree: ast.AST) -> bool:
    """Whether a module imports an architecture by its name: import_module(f"models.arch.{...}")."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any("import_module" in ast.unparse(c.func) and "models.arch" in ast.unparse(c.args[0]) for c in calls)
