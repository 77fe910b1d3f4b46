"""A clone's keys: what would not be trusted is refused before the work, and what is public of them gets out."""

import shutil
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from errors import RegisterError, TrustError
from flows.doctor import check_keys
from trust import key_check, keys
from trust.keys import ROOTS, init_keys
from trust.publish import Publisher
from trust.register import NewEntry, check_register, open_register

KEYS = Path("private/keys")
NEW = NewEntry(kind="original", sha256="a" * 64, title="a", identities=("ada",), hashes=b"12345678")


def _init_if_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["keys", "init", "--if-missing"])
    keys.main()


def _swap_key() -> None:
    shutil.move(KEYS, "mine")
    init_keys("others")
    shutil.copy(KEYS / "signing.key", "mine/signing.key")
    shutil.rmtree(KEYS)
    shutil.move("mine", KEYS)


def _reverse_chain() -> None:
    mark = "-----BEGIN"
    parts = [mark + part for part in (KEYS / "chain.pem").read_text().split(mark)[1:]]
    (KEYS / "chain.pem").write_text("".join(parts[::-1]))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda: (KEYS / "chain.pem").write_text("no certificates"), "chain.pem: is no chain of certificates in PEM"),
        (_swap_key, "chain.pem: its first certificate is another key's than the one that signs"),
        (_reverse_chain, "chain.pem: a certificate in it is not issued by the next one"),
        (lambda: next(ROOTS.glob("*.pem")).unlink(), "chain.pem: no root in trust/roots leads to it"),
        (lambda: next(ROOTS.glob("*.pub")).unlink(), "register.key: its public key is not in trust/roots"),
        (lambda: next(ROOTS.glob("*.pub")).write_text("<<<<"), "register.key: its public key is not in trust/roots"),
    ],
)
def test_keys_whose_videos_would_not_be_trusted_are_refused_and_told_before_the_work(
    keyed: Path, damage: Callable[[], object], told: str
) -> None:
    del keyed
    assert list(check_keys()) == []
    damage()
    with pytest.raises(TrustError, match=told):
        Publisher()
    (finding,) = check_keys()
    assert told in finding.what
    assert "python -m trust.keys init" in finding.remedy or "put them in order" in finding.remedy


def test_a_certificate_that_has_expired_is_told_with_its_name(keyed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del keyed

    class _Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(days=365 * 11)

    monkeypatch.setattr(key_check, "datetime", _Later)
    with pytest.raises(TrustError, match=r"the certificate O=made with Understudy,CN=tests is valid .*, not today"):
        Publisher()


def test_a_register_that_was_set_back_is_told_before_the_work(keyed: Path) -> None:
    del keyed
    open_register().append(NEW)
    shutil.rmtree("register")
    with pytest.raises(RegisterError, match="has not the 1 entries"):
        Publisher()
    assert [finding.what.partition(": ")[2][:7] for finding in check_keys()] == ["has not"]


def test_a_second_show_with_the_same_private_folder_gets_root_and_writer(
    keyed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    open_register().append(NEW)
    monkeypatch.setenv("UNDERSTUDY_PRIVATE", str(keyed / "private"))
    (tmp_path / "show").mkdir()
    monkeypatch.chdir(tmp_path / "show")
    _init_if_missing(monkeypatch)
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(" (public: commit it")[0] for line in said] == [f"keys: {path}" for path in _list_roots()]
    assert {path.read_bytes() for path in ROOTS.iterdir()} == {path.read_bytes() for path in (keyed / ROOTS).iterdir()}
    Publisher().register.append(NEW)
    assert check_register(Path("register")) == []
    _init_if_missing(monkeypatch)
    assert capsys.readouterr().out == ""


def _list_roots() -> list[Path]:
    return [*ROOTS.glob("*.pub"), *ROOTS.glob("*.pem")]
