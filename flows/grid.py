"""A grid of params in DVC's own words (`dvc exp run --set-param`), each combination tried on params.yaml beforehand."""

import hashlib
import itertools
import math
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dvc.exceptions import InvalidArgumentError
from dvc.utils.hydra import apply_overrides, get_hydra_sweeps
from hydra.errors import HydraException

from errors import FlowError, ParamsError
from stages.params import PARAMS_FILE, read_params

MAX_COMBINATIONS = 1000
MAX_NAME = 120  # characters; it becomes the name of a file in .git


@dataclass(frozen=True)
class Combination:
    """One of the grid's: the settings as DVC takes them (`train.size=tiny`), and the name that they give it."""

    settings: tuple[str, ...]

    @property
    def name(self) -> str:
        """The settings, where git takes them as a name; else what it takes of them, and a hash."""
        text = ",".join(self.settings)
        name = re.sub(r"[^A-Za-z0-9_.,=+-]+|\.\.+", "-", text).strip("-.")[:MAX_NAME]
        return name if name == text else f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def read_grid(words: list[str]) -> list[Combination]:
    """Every combination of the params in `words`, each `name=value,value`. Raises FlowError where one cannot be run."""
    names = [word.partition("=")[0] for word in words]
    if not names:
        raise FlowError("no param to vary; name one with its values, such as train.size=tiny,small")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise FlowError(f"{twice} is given twice; give all its values at once: {twice}=V1,V2")
    values = [_expand(word) for word in words]
    n_combinations = math.prod(len(of_one) for of_one in values)
    if n_combinations > MAX_COMBINATIONS:
        raise FlowError(f"{n_combinations} combinations, at most {MAX_COMBINATIONS}; leave out some values")
    grid = [Combination(settings) for settings in itertools.product(*values)]
    _try_all(grid)
    return grid


def _expand(word: str) -> list[str]:
    """`a=1,2` -> `a=1` and `a=2`; a value that is there twice counts once."""
    if ":" in word.partition("=")[0]:
        raise FlowError(f"{word}: only params of {PARAMS_FILE} can be varied")
    try:
        found = get_hydra_sweeps({"params": [word]})
    except (HydraException, InvalidArgumentError) as error:
        raise FlowError(f"{word}: {_first_line(error)}; write name=value,value") from error
    return list(dict.fromkeys(setting for of_file in found for setting in of_file["params"]))


def _try_all(grid: list[Combination]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for combination in grid:
            copy = Path(folder) / PARAMS_FILE.name
            shutil.copy(PARAMS_FILE, copy)
            where = ",".join(combination.settings)
            try:
                apply_overrides(copy, list(combination.settings))
                read_params(copy)
            except InvalidArgumentError as error:
                reason = _first_line(error.__cause__ or error)
                raise FlowError(f"{where}: {reason}; {PARAMS_FILE} has the names and ranges") from error
            except ParamsError as error:
                raise FlowError(f"{where}: {str(error).partition(': ')[2]}") from error


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0].rstrip(".")
