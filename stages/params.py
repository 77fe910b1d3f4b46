"""The only reader of params.yaml: typed, frozen, without defaults. A mistake is one line that names the key.

The file is read as DVC reads it (YAML 1.2), without aliases, so that both see the same values.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node

from errors import ParamsError

PARAMS_FILE = Path("params.yaml")
Entry = TypeVar("Entry")
MAPS = ("identities", "pairs", "takes")
KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")


def _check_path(text: str) -> str:
    path = Path(text)
    if path.is_absolute() or ".." in path.parts or not text or text.strip() != text:
        raise ValueError("must be a path inside the project, without ..")
    return text


def _check_faceset(value: object) -> object:
    names = value if isinstance(value, list) else []
    if value != "all" and not (names and all(isinstance(n, str) and n and "/" not in n for n in names)):
        raise ValueError("must be the word all, or a list of file names without folders")
    return value


def _check_key(text: str) -> str:
    if not KEY.fullmatch(text):
        raise ValueError(f"must match {KEY.pattern}")
    return text


def _check_multiple_of_16(number: int) -> int:
    if number % 16:
        raise ValueError("must be a multiple of 16")
    return number


InnerPath = Annotated[str, AfterValidator(_check_path)]
Key = Annotated[str, AfterValidator(_check_key)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Weight = Annotated[float, Field(ge=0, le=100)]
Ratio = Annotated[float, Field(ge=0, le=1)]
ModelSize = Annotated[int, Field(ge=32, le=512), AfterValidator(_check_multiple_of_16)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Identity(_Section):
    clips: InnerPath
    consent: Literal["record", "unverified"]
    interval_s: float = Field(ge=0, le=3600)
    faceset: Annotated[Literal["all"] | list[str], BeforeValidator(_check_faceset)]


class Pair(_Section):
    source: Key
    target: Key


class Truth(_Section):
    video: InnerPath
    video_sha256: Sha256
    table: InnerPath
    table_sha256: Sha256


class Blend(_Section):
    color_transfer: Literal["light", "skin", "reinhard", "none"]
    erosion_ratio: float = Field(ge=-0.1, le=0.3)
    feather_ratio: float = Field(ge=0, le=0.3)
    detail: Ratio
    exchange_ratio: Ratio
    mask: Literal["outline", "learned"]


class Take(_Section):
    pair: Key
    source: Key
    target: Key
    clip: InnerPath
    purpose: Literal["publish", "dataset", "forensics"]
    blend: Blend
    truth: Truth | None


class Sample(_Section):
    cut_threshold: Ratio
    duplicate_threshold: float = Field(ge=0, le=255)
    min_sharpness: float = Field(ge=0, le=10000)


class Detect(_Section):
    engine: Literal["torch", "mtcnn"]
    landmarks: Literal["mesh", "five"]
    min_face_ratio: float = Field(ge=0.02, le=1)
    thresholds: list[Ratio] = Field(min_length=3, max_length=3)
    search_s: float = Field(ge=0, le=10)
    profiles: bool

    @model_validator(mode="after")
    def _has_what_profiles_need(self) -> Self:
        if self.profiles and self.landmarks == "five":
            raise ValueError("profiles needs landmarks: mesh; set profiles to false")
        return self


class Limits(_Section):
    max_cut_ratio: Ratio
    max_covered_ratio: Ratio
    max_misfit_cm: float = Field(ge=0, le=10)
    min_sharpness_ratio: Ratio


class Align(_Section):
    crop_px: int = Field(ge=64, le=1024, multiple_of=2)
    min_track_s: float = Field(ge=0, le=60)
    min_overlap: Ratio
    smooth: bool
    forehead_cm: float = Field(ge=0, le=6)
    find_covers: bool
    limits: Limits
    duplicate_levels: float = Field(ge=0, le=255)


class Compare(_Section):
    min_faces: int = Field(ge=1, le=100)


class Augment(_Section):
    face_px: ModelSize
    coverage_ratio: float = Field(ge=0.3, le=0.9)
    variants: int = Field(ge=1, le=16)
    validation_ratio: float = Field(ge=0.02, le=0.5)
    brightness_ratio: float = Field(ge=0, le=0.5)
    hue_shift: int = Field(ge=0, le=45)
    max_gb: float = Field(ge=0.01, le=1000)


class Losses(_Section):
    dssim: Weight
    ms_dssim: Weight
    l1: Weight
    gradient: Weight
    mask: Weight
    adversarial: Weight

    @model_validator(mode="after")
    def _asks_for_pictures(self) -> Self:
        if not (self.dssim or self.ms_dssim or self.l1 or self.gradient):
            raise ValueError("give dssim, ms_dssim, l1 or gradient a weight above 0")
        return self


class Phase(_Section):
    steps: int | None = Field(ge=1, le=10_000_000)
    epochs: int | None = Field(ge=1, le=1_000_000)
    until_loss: float | None = Field(gt=0, le=100)
    patience: int | None = Field(ge=1, le=1000)
    rate: float = Field(gt=0, le=1)
    schedule: Literal["constant", "linear", "cosine"]
    fall: int | None = Field(ge=1, le=10_000_000)
    warmup: int = Field(ge=0, le=1_000_000)
    warp: float = Field(ge=0, le=1.5)
    losses: Losses

    @model_validator(mode="after")
    def _has_one_length(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give steps or epochs, and null for the other")
        if self.schedule == "constant" and self.fall is not None:
            raise ValueError("a constant rate does not fall; set fall to null, or schedule to linear or cosine")
        return self


class Start(_Section):
    checkpoint: str = Field(min_length=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Train(_Section):
    arch: Literal["compact", "df", "liae", "original"]
    size: Literal["tiny", "small", "base", "large"]
    size_px: ModelSize
    precision: Literal["bf16", "float32"]
    device: Literal["cpu", "cuda"]
    devices: int = Field(ge=1, le=64)
    nodes: int = Field(ge=1, le=1000)
    threads: int = Field(ge=1, le=256)
    compile: bool
    batch: int = Field(ge=1, le=1024)
    optimizer: Literal["muon", "adamw"]
    ema_decay: float = Field(ge=0, le=0.99999)
    weight_decay: Ratio
    code_noise: float = Field(ge=0, le=2)
    code_mix: Ratio
    flip: bool
    balance: int = Field(ge=1, le=20)
    emphasis: float = Field(ge=1, le=20)
    start: Start | None
    phases: list[Phase] = Field(min_length=1, max_length=100)
    validate_every: int = Field(ge=1, le=1_000_000)
    checkpoint_every: int = Field(ge=1, le=1_000_000)
    preview_every: int = Field(ge=1, le=1_000_000)
    tensorboard: bool


class Convert(_Section):
    batch_frames: int = Field(ge=1, le=256)
    missing: Literal["pass", "fail"]
    label: Literal["opening", "corner", "off"]
    label_reason: Annotated[str, Field(min_length=1)] | None
    mark_strength: float = Field(ge=0.5, le=2)
    crf: int = Field(ge=0, le=40)

    @model_validator(mode="after")
    def _says_why_there_is_no_label(self) -> Self:
        if (self.label == "off") != (self.label_reason is not None):
            raise ValueError("label off needs a label_reason, which the video's manifest tells; any other needs null")
        return self


class Evaluate(_Section):
    sheet_rows: int = Field(ge=1, le=40)
    sheet_px: int = Field(ge=64, le=512)


class Params(_Section):
    """All of params.yaml, checked as a whole: sections, and what they say of each other."""

    seed: int = Field(ge=0, le=2**32 - 1)
    identities: dict[Key, Identity]
    pairs: dict[Key, Pair]
    takes: dict[Key, Take]
    sample: Sample
    detect: Detect
    align: Align
    compare: Compare
    augment: Augment
    train: Train
    convert: Convert
    evaluate: Evaluate

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        for name, pair in self.pairs.items():
            self._check_pair(name, pair)
        for name, take in self.takes.items():
            self._check_take(name, take)
        self._check_sizes()
        self._check_masks()
        return self

    def _check_pair(self, name: str, pair: Pair) -> None:
        for role, identity in (("source", pair.source), ("target", pair.target)):
            if identity not in self.identities:
                raise ValueError(
                    f"pairs.{name}.{role}: there is no identity {identity!r}; known: {_listed(self.identities)}"
                )
        if pair.source == pair.target:
            raise ValueError(f"pairs.{name}: source and target are both {pair.source!r}; a pair needs two identities")

    def _check_take(self, name: str, take: Take) -> None:
        where = f"takes.{name}"
        if take.pair not in self.pairs:
            raise ValueError(f"{where}.pair: there is no pair {take.pair!r}; known: {_listed(self.pairs)}")
        for role in ("source", "target"):
            given, right = getattr(take, role), getattr(self.pairs[take.pair], role)
            if given != right:
                raise ValueError(
                    f"{where}.{role}: is {given!r}, but pairs.{take.pair}.{role} is {right!r}; give the same"
                )
        folder = self.identities[take.target].clips
        if Path(take.clip).parent != Path(folder):
            raise ValueError(
                f"{where}.clip: {take.clip} is not in {folder}, the clips of {take.target!r}; put it there"
            )

    def _check_sizes(self) -> None:
        if self.train.size_px > self.augment.face_px:
            raise ValueError(
                f"train.size_px: {self.train.size_px} is more than augment.face_px, {self.augment.face_px}; "
                "lower the one or raise the other"
            )
        if self.train.arch == "original" and self.train.size_px != 64:
            raise ValueError(f"train.size_px: the architecture original needs 64, found {self.train.size_px}")

        n = self.train.devices * self.train.nodes
        if self.train.batch % n:
            raise ValueError(f"train.batch: {self.train.batch} cannot be shared evenly by the {n} devices of all nodes")

    def _check_masks(self) -> None:
        if self.train.arch == "original" and any(phase.losses.mask for phase in self.train.phases):
            raise ValueError("train.phases: the architecture original makes no mask; set losses.mask to 0")
        for name, take in self.takes.items():
            if take.blend.mask == "learned" and not self.train.phases[-1].losses.mask:
                raise ValueError(f"takes.{name}.blend.mask: learned needs losses.mask above 0 in train's last phase")


def read_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check params.yaml. Raises ParamsError: one line with the key, what is there and what is allowed."""
    values = _read_yaml(path)
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise ParamsError(f"{path}: {_describe(error.errors()[0])}") from None


def read_key(stage: str) -> str:
    """The key that this run of a stage is for: from DVC_STAGE (`stage@key`), or the command's first argument."""
    name = os.environ.get("DVC_STAGE", "")
    if name.startswith(f"{stage}@"):
        return name.removeprefix(f"{stage}@")
    if len(sys.argv) == 2:
        return sys.argv[1]
    raise ParamsError(f"stage {stage} needs a key: python -m stages.{stage} KEY (or dvc repro {stage}@KEY)")


def pick(entries: Mapping[str, Entry], section: str, key: str) -> Entry:
    """One entry of a map of params. Raises ParamsError that lists the known keys."""
    if key not in entries:
        raise ParamsError(f"{PARAMS_FILE}: {section} has no {key!r}; known: {_listed(entries)}")
    return entries[key]


def _read_yaml(path: Path) -> object:
    yaml = YAML(typ="safe", pure=True)
    try:
        text = path.read_text(encoding="utf-8")
        if any(isinstance(event, AliasEvent) for event in yaml.parse(text)):
            raise ParamsError(f"{path}: YAML aliases (*name) are not allowed; write the values out")
        _check_keys(path, yaml.compose(text))
        return YAML(typ="safe", pure=True).load(text)
    except FileNotFoundError:
        raise ParamsError(f"{path}: not found; run this in the project's folder") from None
    except UnicodeDecodeError:
        raise ParamsError(f"{path}: is no UTF-8 text; save it as UTF-8") from None
    except YAMLError as error:
        raise ParamsError(f"{path}: no valid YAML: {_describe_yaml(error)}") from None


def _check_keys(path: Path, root: Node) -> None:
    """Check the maps' keys as they are written: 007 would be read as the number 7, and DVC would drop it."""
    for section, entries in root.value if isinstance(root, MappingNode) else []:
        if section.value in MAPS and isinstance(entries, MappingNode):
            for key, _ in entries.value:
                if not key.tag.endswith(":str") or not KEY.fullmatch(str(key.value)):
                    name = _name(key.value) if isinstance(key.value, str) else "a list or map"
                    raise ParamsError(
                        f"{path}: {section.value}.{name}: a key must be a word that matches {KEY.pattern}"
                    )


def _listed(entries: Mapping[str, object]) -> str:
    return ", ".join(sorted(entries)) or "none"


def _describe_yaml(error: YAMLError) -> str:
    """ruamel's error in one line: what is wrong, and where."""
    if not isinstance(error, MarkedYAMLError):
        return " ".join(str(error).split())
    line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
    what = next((part for part in (error.problem, error.context) if part), "it cannot be read")
    return f"{' '.join(what.split())}{line}"


def _describe(error: ErrorDetails) -> str:
    """pydantic's error as `key: what is wrong (found value)`."""
    where = ".".join(_name(part) for part in error["loc"] if part != "[key]") or "the file"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "unknown key; remove it or mend its spelling"
    elif error["type"] == "missing":
        message = "is missing, and there are no defaults"
    elif not error["loc"] and error["type"] == "value_error":
        return message  # about several keys, which it names itself
    elif not error["loc"]:
        message = "holds no params; start from the project's own params.yaml"
    else:
        message = f"{message} (found {error['input']!r})"
    return f"{where}: {message}"


def _name(part: int | str) -> str:
    """A part of a key's path; what is no plain word is quoted, so that the message stays one line."""
    return str(part) if re.fullmatch(r"[\w-]+", str(part)) else repr(part)
