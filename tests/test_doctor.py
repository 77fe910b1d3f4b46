"""The doctor: each thing that can be wrong is found, with a remedy, and a sound project gets a clean bill."""

import os
import re
import sys
from pathlib import Path

import pytest

from flows.doctor import MIN_FREE_GB, check_server, check_space, check_temporary, check_versions
from tests.project import Project


def _examine(project: Project, *options: str) -> tuple[int, str]:
    done = project.run(sys.executable, "-m", "flows.doctor", *options, PREFECT_API_URL="")
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def test_a_sound_project_has_no_findings(project: Project) -> None:
    code, said = _examine(project)
    assert (code, said.count("FOUND")) == (0, 0), said
    assert said.count("ok  ") == 11


@pytest.mark.heavy
def test_an_altered_cache_object_and_an_altered_result_are_found_by_name(project: Project) -> None:
    objects = (project.root / ".dvc/cache/files/md5").glob("??/*")
    altered = min(path for path in objects if path.suffix != ".dir")
    kept = altered.stat()
    altered.chmod(0o644)
    altered.write_bytes(b"x" + altered.read_bytes()[1:])
    os.utime(altered, ns=(kept.st_atime_ns, kept.st_mtime_ns))  # as bit rot does: DVC's own look sees nothing
    result = project.root / "data/augment/ada/part"
    result.unlink()
    result.write_text("something else")
    code, said = _examine(project)
    assert code == 1
    assert f"the cache object {altered} was altered" in said
    assert "data/augment/ada/part, a result of augment@ada, was altered" in said
    assert said.count("was altered") == 2
    assert _examine(project, "--quick")[0] == 0


def test_missing_keys_and_an_altered_register_are_found(project: Project) -> None:
    (project.root / "private/keys/signing.key").unlink()
    project.write(f"register/{'0' * 16}.jsonl", "{}\n")
    code, said = _examine(project, "--quick")
    assert code == 1
    assert (
        "private/keys/signing.key: there is no key to sign with\n         -> make them: python -m trust.keys init"
        in said
    )
    assert f"register/{'0' * 16}" in said


@pytest.mark.heavy
def test_an_altered_list_of_a_folder_s_files_is_found_and_not_believed(project: Project) -> None:
    altered = min((project.root / ".dvc/cache/files/md5").glob("??/*.dir"))
    altered.chmod(0o644)
    altered.write_bytes(b"x" + altered.read_bytes()[1:])
    code, said = _examine(project)
    assert code == 1
    assert f"the cache object {altered} was altered" in said


@pytest.mark.heavy
def test_a_missing_clip_and_an_empty_lock_file_are_found_together(project: Project) -> None:
    (project.root / "dvc.lock").write_text("")
    (project.root / "clips/ben/take1.mp4").unlink()
    code, said = _examine(project, "--quick")
    assert code == 1
    assert "dvc.lock is empty: a disk was full" in said
    assert "identities.ben.clips: the folder clips/ben is empty" in said


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("text", "what"), [("<<<<<<< HEAD\na: 1\n", "conflict marks"), ("a: [1\n", "dvc.lock"), ("a: 1\n", "dvc.lock")]
)
def test_a_lock_file_that_cannot_be_used_is_found(project: Project, text: str, what: str) -> None:
    (project.root / "dvc.lock").write_text(text)
    code, said = _examine(project)
    assert code == 1
    (found,) = re.findall(r"FOUND   dvc.lock\n +(.*)\n", said)
    assert what in found


def test_a_package_of_another_version_is_found() -> None:
    (found,) = check_versions("pytest==0.0.1\nno-such-package==1.0\n")
    assert found.what.startswith("pytest is ")
    assert "requirements.lock says 0.0.1" in found.what


def test_a_full_disk_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not list(check_space("cache", tmp_path / "not made yet"))
    monkeypatch.setattr("flows.doctor.find_free", lambda _: (MIN_FREE_GB - 1) * 1e9)
    (found,) = check_space("cache", tmp_path / "not made yet")
    assert re.fullmatch(r"little is free for the cache: / \([\d.]+ GB are free\), 5 GB should be", found.what)


def test_a_folder_for_temporary_files_that_is_not_there_is_found(tmp_path: Path) -> None:
    assert not list(check_temporary(None))
    assert not list(check_temporary(str(tmp_path)))
    (found,) = check_temporary(str(tmp_path / "gone"))
    assert "gone" in found.what


def test_a_server_that_does_not_answer_is_found() -> None:
    (found,) = check_server("http://127.0.0.1:9/api", None)
    assert "does not answer" in found.what
    (found,) = check_server("file:///etc", None)
    assert "no address" in found.what
