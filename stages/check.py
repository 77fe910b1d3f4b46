"""params.yaml and the files it names -> the constant data/check.txt, and name==version lines of deciding libraries.

Every other stage depends on these files, so that a mistake stops here, before DVC touches an output of another stage.
"""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from errors import ClipError, ParamsError, one_line_errors
from stages.params import Identity, Params, Take, read_params
from stages.permission import add_consent_folders, require_all_consent
from vision.picture_folder import refuse_stills
from vision.whole import whole_file

EDITS = Path("edits")
EDITS_HEADER = "clip_sha256,first_frame,end_frame,x,y,decision\n"
# What decides the bits of align's, augment's and convert's pictures, and of train's weights.
FACES_LIBRARIES = (
    "albucore",
    "albumentations",
    "av",
    "mediapipe",
    "numpy",
    "opencv-python-headless",
    "pandas",
    "pillow",
    "pyarrow",
    "scipy",
)
TORCH_LIBRARIES = ("numpy", "torch")


def check(params: Params, data: Path) -> None:
    """Check what params.yaml names, make missing edits/<identity>/tracks.csv, and write three files into `data`."""
    check_files(params)
    add_edits(params.identities, EDITS)
    add_consent_folders(params)
    _write(data / "check.txt", "params.yaml is valid\n")
    _write(data / "versions-faces.txt", _list_versions(FACES_LIBRARIES))
    _write(data / "versions-torch.txt", _list_versions(TORCH_LIBRARIES))


def check_files(params: Params) -> None:
    """Check that there are people who have agreed, and that their clips exist. Raises an UnderstudyError."""
    if not params.identities:
        raise ParamsError(
            "params.yaml: identities is empty; put a person's clips into clips/NAME and add an entry identities.NAME"
        )
    for name, identity in params.identities.items():
        _check_clips(name, identity)
    for name, take in params.takes.items():
        _check_take(name, take)
    require_all_consent(params)


def add_edits(identities: Mapping[str, Identity], folder: Path) -> None:
    """Make the table of a person's decisions by hand where there is none; one that exists is never touched."""
    for name in identities:
        path = folder / name / "tracks.csv"
        if not path.exists():
            _write(path, EDITS_HEADER)


def _check_clips(name: str, identity: Identity) -> None:
    where, folder = f"identities.{name}.clips", Path(identity.clips)
    if not folder.is_dir():
        if _is_kept_by_dvc(folder):
            return
        raise ClipError(f"{where}: there is no folder {folder}; make it and put this person's clips into it")
    if not any(not clip.name.startswith(".") for clip in folder.iterdir()):
        raise ClipError(f"{where}: the folder {folder} is empty; put this person's clips into it")
    for clip in [] if identity.faceset == "all" else identity.faceset:
        if not (folder / clip).exists():
            raise ClipError(
                f"identities.{name}.faceset: there is no clip {folder / clip}; put it there or mend the name"
            )


def _check_take(name: str, take: Take) -> None:
    clip = Path(take.clip)
    if not clip.exists() and not _is_kept_by_dvc(clip):
        raise ClipError(f"takes.{name}.clip: there is no clip {clip}; put it there or mend the name")
    refuse_stills(clip, f"takes.{name}.clip: ")
    truth = {"video": take.truth.video, "table": take.truth.table} if take.truth else {}
    for field, path in truth.items():
        if not Path(path).is_file() and not _is_kept_by_dvc(Path(path)):
            raise ClipError(f"takes.{name}.truth.{field}: there is no file {path}; put it there or mend the name")


def _is_kept_by_dvc(path: Path) -> bool:
    """Whether `dvc add` or `dvc import` took it, or a folder around it: then a stage that needs it pulls it."""
    return any(part.with_name(f"{part.name}.dvc").is_file() for part in (path, *path.parents) if part.name)


def _list_versions(libraries: tuple[str, ...]) -> str:
    return "".join(f"{library}=={_version(library)}\n" for library in libraries)


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def _write(path: Path, text: str) -> None:
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def main() -> None:
    with one_line_errors():
        check(read_params(), Path("data"))


if __name__ == "__main__":
    main()
