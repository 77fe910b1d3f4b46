"""Look for what would break a build, or has quietly broken a result; each finding with its remedy.

    python -m flows.doctor [--quick]

Looks at params, consent, versions, dvc.lock, free space, the folder for temporary files, remotes, keys, the register
and the server, then hashes every object of the cache and every result in the workspace anew (--quick: not that): an
altered cache object would otherwise be given out as good. Exit code 1 where anything was found.
"""

import argparse
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from disk import FREE_SOME, find_free, find_temporary, name_disk
from errors import RegisterError, TrustError, UnderstudyError, one_line_errors
from flows.build import check_inputs
from flows.graph import Storage, read_recorded, read_storage
from flows.leftovers import judge_lock
from trust.places import register_folder
from trust.publish import Publisher
from trust.register import check_register

MIN_FREE_GB = 5.0
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Finding:
    """What is wrong, and what to do about it."""

    what: str
    remedy: str


def examine(*, is_quick: bool) -> Iterator[tuple[str, list[Finding]]]:
    """Each look that was taken, by name, with its findings."""
    yield "params.yaml", list(check_params())
    yield "versions", list(check_versions(Path("requirements.lock").read_text(encoding="utf-8")))
    broken = list(check_lock(Path("dvc.lock")))
    yield "dvc.lock", broken
    storage = read_storage()
    places = {"project": Path(), "cache": storage.cache, "temporary files": find_temporary()}
    space = [finding for name, path in places.items() for finding in check_space(name, path)]
    yield "free space", space
    yield "temporary files", list(check_temporary(os.environ.get("TMPDIR")))
    yield "remotes", list(check_remotes(storage))
    yield "keys", list(check_keys())
    yield "register", list(check_entries())
    yield "server", list(check_server(os.environ.get("PREFECT_API_URL"), os.environ.get("PREFECT_API_AUTH_STRING")))
    if not is_quick:
        yield "cache", list(check_cache(storage.cache))
        yield "workspace", [] if broken else list(check_workspace(storage.cache))


def check_params() -> Iterator[Finding]:
    """What the first stage of a build would say."""
    try:
        check_inputs()
    except UnderstudyError as error:
        yield Finding(str(error), "mend it; nothing is built before")


def check_versions(lock: str) -> Iterator[Finding]:
    """Packages that are installed in another version than `lock`, the text of requirements.lock, says."""
    for name, wanted in _PINNED.findall(lock):
        try:
            found = version(name)
        except PackageNotFoundError:
            continue  # the list holds what some platforms do not need
        if found.split("+")[0] != wanted:  # a build for one kind of machine has a name of its own: 2.13.0+cpu
            yield Finding(f"{name} is {found}, requirements.lock says {wanted}", "remove .venv and run make install")


def check_lock(path: Path) -> Iterator[Finding]:
    """A lock file that a full disk, a kill or a merge has left unreadable."""
    wrong = judge_lock(path) if path.exists() else ""
    if wrong:
        yield Finding(wrong, f"git checkout {path}, or remove it: known results are restored; a build mends a cut one")


def check_space(name: str, path: Path) -> Iterator[Finding]:
    """A disk that is nearly full. `path` need not exist yet."""
    if find_free(path) < MIN_FREE_GB * 1e9:
        what = f"little is free for the {name}: {name_disk(path)}, {MIN_FREE_GB:g} GB should be"
        yield Finding(what, FREE_SOME)


def check_temporary(wanted: str | None) -> Iterator[Finding]:
    """A TMPDIR that programs would silently pass over."""
    if wanted and not os.access(wanted, os.W_OK | os.X_OK):
        yield Finding(f"TMPDIR is {wanted}, where nothing can be written", "make that folder, or unset TMPDIR")


def check_remotes(storage: Storage) -> Iterator[Finding]:
    """Remotes that cannot be reached."""
    for name, reach in storage.remotes.items():
        error = reach()
        if error:
            yield Finding(f"the remote {name} cannot be reached: {error}", "see dvc remote list; mend it or its access")


def check_keys() -> Iterator[Finding]:
    """Keys whose videos would not be trusted here, and a register that takes none."""
    try:
        Publisher()
    except (RegisterError, TrustError) as error:
        yield _split(str(error))


def check_entries() -> Iterator[Finding]:
    """Entries of the register that are altered, missing, or by nobody known."""
    try:
        faults = check_register(register_folder())
    except RegisterError as error:
        faults = [str(error)]
    yield from map(_split, faults)


def _split(line: str) -> Finding:
    """An error's one line as a finding."""
    what, _, remedy = line.partition("; ")
    return Finding(what, remedy)


def check_server(url: str | None, password: str | None) -> Iterator[Finding]:
    """The Prefect server that PREFECT_API_URL names: whether it answers, and asks for a password."""
    if not url:
        return
    if not url.startswith(("http://", "https://")):
        yield Finding(f"PREFECT_API_URL is {url}, no address of a server", "unset it, or give http://HOST:PORT/api")
        return
    try:
        with urlopen(f"{url}/admin/version", timeout=5):  # noqa: S310 (checked above)
            pass
    except HTTPError as error:
        if error.code not in (401, 403):
            yield Finding(f"the server {url} answers {error.code}", "look at its log")
        elif not password:
            yield Finding(f"the server {url} asks for a password", "set PREFECT_API_AUTH_STRING as the server has it")
    except OSError as error:
        yield Finding(f"the server {url} does not answer ({error})", "start it, or unset PREFECT_API_URL")
    else:
        yield Finding(
            f"the server {url} lets in everybody without a password",
            "start it with PREFECT_SERVER_API_AUTH_STRING=admin:SECRET",
        )


def check_cache(cache: Path) -> Iterator[Finding]:
    """Objects of the cache whose bytes are not those of their name."""
    for path in sorted(cache.glob("??/*")):
        wanted = path.parent.name + path.name.removesuffix(".dir")
        if _hash(path) != wanted:
            yield Finding(
                f"the cache object {path} was altered",
                "remove it; dvc pull brings it back from the remote, or the next build makes it anew",
            )


def check_workspace(cache: Path) -> Iterator[Finding]:
    """Results in the workspace whose bytes are not those that dvc.lock recorded; missing ones are none of these."""
    for stage, of_stage in read_recorded().items():
        for out, md5 in of_stage.outs.items():
            for path, wanted in _list_files(Path(out), md5, cache):
                if path.is_file() and _hash(path) != wanted:
                    yield Finding(f"{path}, a result of {stage}, was altered", f"remove it and run dvc checkout {path}")


def _list_files(out: Path, md5: str, cache: Path) -> Iterator[tuple[Path, str]]:
    """The files of a result with their MD5s. A folder's list is a cache's object, perhaps gone or altered."""
    if not md5.endswith(".dir"):
        yield out, md5
        return
    listed = cache / md5[:2] / md5[2:]
    is_sound = listed.exists() and _hash(listed) == md5.removesuffix(".dir")
    for entry in json.loads(listed.read_bytes()) if is_sound else []:
        yield out / entry["relpath"], entry["md5"]


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, _md5).hexdigest()


def _md5() -> "hashlib._Hash":
    return hashlib.md5(usedforsecurity=False)


def tell(looks: Iterator[tuple[str, list[Finding]]], say: Callable[[str], None]) -> bool:
    """Tell every look and finding as it comes; whether nothing was found."""
    is_well = True
    for name, findings in looks:
        say(f"{'ok     ' if not findings else 'FOUND  '} {name}")
        for finding in findings:
            is_well = False
            say(f"         {finding.what}\n         -> {finding.remedy}")
    return is_well


def main() -> None:
    with one_line_errors():
        parser = argparse.ArgumentParser(prog="python -m flows.doctor", description="Find what would break a build.")
        parser.add_argument("--quick", action="store_true", help="do not hash the cache and the results anew")
        is_quick = parser.parse_args().quick
        if not tell(examine(is_quick=is_quick), lambda line: print(line, flush=True)):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
