"""Params: what is refused, and that each refusal is one line with the key, what is there and what is allowed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from errors import ParamsError
from stages.params import KEY, Params, pick, read_key, read_params

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")


def _write(path: Path, change: Callable[[Any], object]) -> Path:
    """params.yaml after `change` was called on its values."""
    values = YAML(typ="safe", pure=True).load(TEXT)
    change(values)
    file = path / "params.yaml"
    yaml = YAML(typ="safe", pure=True)
    yaml.representer.ignore_aliases = lambda *_: True
    yaml.dump(values, file)
    return file


def _set(path: str, value: object) -> Callable[[Any], None]:
    """A change that sets the value at `a.b.0.c`."""

    def change(values: Any) -> None:
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in parents:
            values = values[part]
        values[last] = value

    return change


def _end_without_masks(values: Any) -> None:
    values["takes"]["demo"]["blend"]["mask"] = "learned"
    values["train"]["phases"][-1]["losses"]["mask"] = 0.0


def _end_without_pictures(values: Any) -> None:
    values["train"]["phases"][-1]["losses"].update(dssim=0.0, ms_dssim=0.0, l1=0.0, gradient=0.0)


def _read_error(file: Path) -> str:
    with pytest.raises(ParamsError) as caught:
        read_params(file)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"{file}: ")


def test_the_projects_own_params_are_read_as_they_stand() -> None:
    params = read_params(ROOT / "params.yaml")
    assert params.pairs["ben_as_ada"].source == "ben"
    assert params.train.phases[0].losses.dssim == 1.0
    assert params.takes["demo"].clip == "clips/ada/take1.mp4"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("train.phases.0.rate", "fast", "train.phases.0.rate: Input should be a valid number (found 'fast')"),
        ("train.phases.0.rate", 0, "train.phases.0.rate: Input should be greater than 0 (found 0)"),
        ("train.phases.0.losses.l1", -1, "train.phases.0.losses.l1: Input should be greater than or equal to 0"),
        ("train.batch", 2.5, "train.batch: Input should be a valid integer"),
        ("train.batch", True, "train.batch: Input should be a valid integer"),
        ("train.flip", "yes", "train.flip: Input should be a valid boolean (found 'yes')"),
        ("train.arch", "gan", "train.arch: Input should be 'compact', 'df', 'liae' or 'original' (found 'gan')"),
        ("train.size_px", 50, "train.size_px: must be a multiple of 16 (found 50)"),
        ("seed", -1, "seed: Input should be greater than or equal to 0 (found -1)"),
        ("seed", 2**32, "seed: Input should be less than or equal to 4294967295"),
        ("detect.thresholds", [0.5, 0.5], "detect.thresholds: List should have at least 3 items"),
        ("detect.thresholds.1", 1.5, "detect.thresholds.1: Input should be less than or equal to 1 (found 1.5)"),
        ("train.emphasis", float("nan"), "train.emphasis: Input should be a finite number"),
        ("identities.ada.faceset", "some", "identities.ada.faceset: must be the word all, or a list of file names"),
        (
            "identities.ada.faceset",
            ["a/b.mp4"],
            "identities.ada.faceset: must be the word all, or a list of file names without folders (found ['a/b.mp4'])",
        ),
        ("identities.ada.faceset", [], "identities.ada.faceset: must be the word all, or a list of file names"),
        ("identities.ada.clips", "../outside", "identities.ada.clips: must be a path inside the project, without .."),
        ("identities.ada.clips", "/tmp/clips", "identities.ada.clips: must be a path inside the project"),  # noqa: S108
        ("identities.ada.interval_s", None, "identities.ada.interval_s: Input should be a valid number (found None)"),
        ("takes.demo.truth.video_sha256", "abc", "takes.demo.truth.video_sha256: String should match pattern"),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_what_is_allowed(
    tmp_path: Path, path: str, value: object, said: str
) -> None:
    assert _read_error(_write(tmp_path, _set(path, value))).startswith(said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set("train.rate", 1), "train.rate: unknown key; remove it or mend its spelling"),
        (_set("extra", {}), "extra: unknown key; remove it or mend its spelling"),
        (lambda v: v["align"].pop("crop_px"), "align.crop_px: is missing, and there are no defaults"),
        (lambda v: v.pop("takes"), "takes: is missing, and there are no defaults"),
        (
            _set("train.phases.0.epochs", 3),
            "train.phases.0: give steps or epochs, and null for the other",
        ),
        (_set("train.phases.0.steps", None), "train.phases.0: give steps or epochs, and null for the other"),
        (
            _set("pairs.ben_as_ada.source", "bob"),
            "pairs.ben_as_ada.source: there is no identity 'bob'; known: ada, ben",
        ),
        (
            _set("pairs.ben_as_ada.source", "ada"),
            "pairs.ben_as_ada: source and target are both 'ada'; a pair needs two identities",
        ),
        (_set("takes.demo.pair", "none"), "takes.demo.pair: there is no pair 'none'; known: ben_as_ada"),
        (
            _set("takes.demo.target", "ben"),
            "takes.demo.target: is 'ben', but pairs.ben_as_ada.target is 'ada'; give the same",
        ),
        (
            _set("takes.demo.clip", "clips/ben/take1.mp4"),
            "takes.demo.clip: clips/ben/take1.mp4 is not in clips/ada, the clips of 'ada'; put it there",
        ),
        (
            _set("augment.face_px", 48),
            "train.size_px: 192 is more than augment.face_px, 48; lower the one or raise the other",
        ),
        (
            lambda values: values["train"].update(arch="original", size_px=80),
            "train.size_px: the architecture original needs 64, found 80",
        ),
        (
            lambda values: values["train"].update(arch="original", size_px=64),
            "train.phases: the architecture original makes no mask; set losses.mask to 0",
        ),
        (
            _set("train.phases.0.fall", 100),
            "train.phases.0: a constant rate does not fall; set fall to null, or schedule to linear or cosine",
        ),
        (_set("train.devices", 3), "train.batch: 8 cannot be shared evenly by the 3 devices of all nodes"),
        (
            _end_without_masks,
            "takes.demo.blend.mask: learned needs losses.mask above 0 in train's last phase",
        ),
        (_end_without_pictures, "train.phases.2.losses: give dssim, ms_dssim, l1 or gradient a weight above 0"),
    ],
)
def test_an_unknown_a_missing_or_a_contradicting_key_is_named(
    tmp_path: Path, change: Callable[[Any], object], said: str
) -> None:
    assert _read_error(_write(tmp_path, change)).startswith(said)


@pytest.mark.parametrize("section", ["identities", "pairs", "takes"])
@pytest.mark.parametrize("key", ["../../x", "x; touch y", "Ada", "", "a b", "a" * 64, "-a", "a\n"])
def test_a_key_that_is_no_plain_word_is_refused_by_name(tmp_path: Path, section: str, key: str) -> None:
    def change(values: Any) -> None:
        values[section][key] = next(iter(values[section].values()))

    message = _read_error(_write(tmp_path, change))
    name = key if key in {"Ada", "a" * 64, "-a"} else repr(key)
    assert message == f"{section}.{name}: a key must be a word that matches {KEY.pattern}"


@pytest.mark.parametrize("key", ["007", "1e3", "true", "null", "~", "1.5", "? [a]"])
def test_a_key_that_yaml_reads_as_no_string_is_refused_as_it_is_written(tmp_path: Path, key: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(TEXT.replace("\n  ada:\n", f"\n  {key}\n  :\n" if key[0] == "?" else f"\n  {key}:\n"))
    name = {"~": "'~'", "1.5": "'1.5'", "? [a]": "a list or map"}.get(key, key)
    assert _read_error(file) == f"identities.{name}: a key must be a word that matches {KEY.pattern}"


@given(st.from_regex(KEY, fullmatch=True))
def test_every_key_that_matches_the_rule_is_a_plain_file_name(key: str) -> None:
    assert Path(key).name == key
    assert key.isascii()
    assert not set(key) & set(" ;&|$`'\"\\/\n.")


@given(st.floats(1, 20, allow_nan=False), st.integers(1, 1024))
def test_every_value_inside_its_bounds_is_read_back_unchanged(emphasis: float, batch: int) -> None:
    values = YAML(typ="safe", pure=True).load(TEXT)
    values["train"] |= {"emphasis": emphasis, "batch": batch}
    params = Params.model_validate(values)
    assert (params.train.emphasis, params.train.batch) == (emphasis, batch)


def test_a_whole_number_is_a_valid_length_in_seconds_and_1e3_is_a_number(tmp_path: Path) -> None:
    text = TEXT.replace("emphasis: 10.0 ", "emphasis: 10 ").replace("min_sharpness: 0.0 ", "min_sharpness: 1e3 ")
    file = tmp_path / "params.yaml"
    file.write_text(text, encoding="utf-8")
    params = read_params(file)
    assert params.train.emphasis == 10
    assert params.sample.min_sharpness == 1000


def test_yaml_1_2_decides_what_a_word_is(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(TEXT.replace("flip: false", "flip: no"), encoding="utf-8")
    assert _read_error(file) == "train.flip: Input should be a valid boolean (found 'no')"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "seed: 1\n",
            "seed: 1\nseed: 2\n",
            'no valid YAML: found duplicate key "seed" with value "2" (original value: "1") in line 5',
        ),
        ("seed: 1\n", "seed: &a 1\nx: *a\n", "YAML aliases (*name) are not allowed; write the values out"),
        ("seed: 1\n", "seed: [1\n", "no valid YAML"),
        ("seed: 1\n", "seed: !!python/object:os.system 1\n", "no valid YAML"),
    ],
)
def test_yaml_that_dvc_would_read_otherwise_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    file = tmp_path / "params.yaml"
    assert old in TEXT
    file.write_text(TEXT.replace(old, new), encoding="utf-8")
    assert _read_error(file).startswith(said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe", "is no UTF-8 text; save it as UTF-8"),
        (b"", "the file: holds no params"),
        (b"- 1\n", "the file: holds no params"),
    ],
)
def test_a_file_that_holds_no_params_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_bytes(content)
    assert _read_error(file).startswith(said)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert _read_error(tmp_path / "params.yaml") == "not found; run this in the project's folder"


def test_a_project_without_people_is_valid(tmp_path: Path) -> None:
    def change(values: Any) -> None:
        values.update(identities={}, pairs={}, takes={})

    assert read_params(_write(tmp_path, change)).identities == {}


def test_an_unknown_entry_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ParamsError, match=r"^params.yaml: takes has no 'x'; known: a, b$"):
        pick({"b": 1, "a": 2}, "takes", "x")


def test_a_stage_gets_its_key_from_dvc_or_from_its_first_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_STAGE", "sample@ada")
    assert read_key("sample") == "ada"
    monkeypatch.setattr("sys.argv", ["sample.py", "ben"])
    assert read_key("align") == "ben"
    monkeypatch.setattr("sys.argv", ["sample.py"])
    with pytest.raises(ParamsError, match=r"stage align needs a key: python -m stages\.align KEY"):
        read_key("align")
