"""Files that are damaged, or were made to mislead: each is answered, and nobody else's words stand bare in a line."""

import shutil
import sys
import time
from contextlib import chdir
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from errors import RegisterError
from tests.footage import encode_clip, numbered
from tests.published import ID, publish, sign_as, sign_beside, strip, write_record
from trust import keys, verify
from trust.credentials import Credentials, read_credentials
from trust.foreign_text import quote, show_text
from trust.inspect import Inspection, inspect_video
from trust.judge_consent import judge_consent
from trust.judge_credentials import judge_credentials
from trust.judge_mark import Pictures, judge_mark
from trust.keys import Signing, init_keys, load_signing
from trust.mark_read import NOTHING, Reading
from trust.origin import MARK, PROVENANCE

FAKE = "x)\nregister  yes  made here: \x1b[32myours\u202e"  # letters enough for a name in a certificate


@pytest.fixture(scope="module")
def published_once(keys_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with a published video, and consent; for copying only."""
    folder = tmp_path_factory.mktemp("published") / "clone"
    shutil.copytree(keys_once, folder)
    with chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.delenv("UNDERSTUDY_PRIVATE", raising=False)
        publish(folder / "swap.mp4")
        write_record("ada")
        write_record("ben")
    return folder


@pytest.fixture
def video(published_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The published video, in a clone of one's own, which is the working folder."""
    monkeypatch.delenv("UNDERSTUDY_PRIVATE", raising=False)
    shutil.copytree(published_once, tmp_path / "clone")
    monkeypatch.chdir(tmp_path / "clone")
    return tmp_path / "clone/swap.mp4"


@pytest.fixture
def plain(keyed: Path) -> Path:
    """A small video without credentials; the working folder is a clone with keys."""
    return encode_clip(keyed / "plain.mp4", numbered(range(3)))


def _find_manifest(data: bytes) -> range:
    """Where the box lies that holds the manifest."""
    start = data.index(b"uuid\xd8\xfe\xc3\xd6\x1b\x0e\x48\x3c") - 4
    return range(start, start + int.from_bytes(data[start : start + 4]))


def _change(video: Path, place: int, value: int) -> Path:
    data = bytearray(video.read_bytes())
    data[place] = value
    changed = video.with_name("changed.mp4")
    changed.write_bytes(data)
    return changed


def _be_stranger(name: str, monkeypatch: pytest.MonkeyPatch) -> Signing:
    """The keys of somebody whose root is not here, of any name."""
    monkeypatch.setattr(keys, "_check_name", lambda _: None)
    known = set(Path("trust/roots").iterdir())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNDERSTUDY_PRIVATE", "strange")
        init_keys(name)
        for published in set(Path("trust/roots").iterdir()) - known:
            published.unlink()
        return load_signing()


def _list_words(found: Inspection) -> list[str]:
    return [answer.words for answer in vars(found).values()]


def test_a_damaged_store_is_unreadable_and_no_crash(video: Path) -> None:
    """The byte that spells the length of `checkpoint`: the whole store then lacks the manifest that it calls active."""
    changed = _change(video, video.read_bytes().index(b"checkpoint") - 1, 0xFF)
    assert read_credentials(changed).state == "unreadable"
    found = inspect_video(changed)
    assert found.credentials.verdict == "unknown"
    assert "cannot be read" in found.credentials.words
    assert verify.judge(found) == verify.UNKNOWN


def test_whatever_byte_of_the_manifest_is_changed_no_exception_comes_out(video: Path) -> None:
    rng = np.random.default_rng(20_261_129)
    data = video.read_bytes()
    place = _find_manifest(data)
    signed = read_credentials(video).provenance
    states = set()
    for where in rng.integers(place.start, data.index(b"\0" * 200, place.start), 400):
        found = read_credentials(_change(video, int(where), int(rng.choice([0, 0xFF, data[where] ^ 1]))))
        words = judge_credentials(found).words + judge_consent(found).words
        words += judge_mark(Pictures(NOTHING, (), ""), found.mark).words
        assert words.isprintable()
        assert found.state != "trusted" or found.provenance == signed
        states.add(found.state)
    assert states >= {"altered", "unreadable"}


def test_bytes_that_no_signature_covers_are_not_vouched_for(video: Path) -> None:
    """Content credentials leave out the boxes `ftyp` and `free`; only the register knows every byte."""
    assert inspect_video(video).altered.words == "every byte is as it was registered"
    found = inspect_video(_change(video, video.read_bytes().index(b"ftyp") + 4, ord("x")))
    assert (found.credentials.verdict, found.altered.verdict) == ("yes", "yes")
    assert found.altered.words == "pictures and sound are as they were signed"
    assert found.register.verdict == "unknown"


@pytest.mark.heavy
def test_an_expired_certificate_is_no_sign_of_tampering(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree("private")
    seconds = 6
    monkeypatch.setitem(keys.YEARS, "signing", seconds / (365 * 24 * 3600))
    init_keys("old")
    begun = time.monotonic()
    signed = sign_as(load_signing(), plain, Path("signed.mp4"))
    assert read_credentials(signed).state == "trusted"
    time.sleep(max(0.0, begun + seconds + 1.1 - time.monotonic()))
    found = inspect_video(signed)
    assert found.credentials.verdict == "unknown"
    assert 'of "old, made with Understudy" that prove nothing now' in found.credentials.words
    assert "the signer's certificate has expired (signingCredential.expired)" in found.credentials.words
    assert found.altered.verdict == "unknown"
    assert verify.judge(found) == verify.UNKNOWN
    with signed.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"!")
    assert inspect_video(signed).credentials.verdict == "no", "one that was changed as well is still found out"


def test_nobody_puts_words_into_this_program_s_mouth(plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    told = {"take": FAKE, "purpose": FAKE, "consent": {FAKE: FAKE, "ada": FAKE}}
    bound = {"alg": MARK, "blocks": [{"scope": {}, "value": FAKE}]}
    assertions = {"label": PROVENANCE, "data": told}, {"label": "c2pa.soft-binding", "data": bound}
    for signing in (load_signing(), _be_stranger(FAKE, monkeypatch)):
        signed = sign_as(signing, plain, Path("signed.mp4"), *assertions)
        monkeypatch.setattr(sys, "argv", ["verify", str(signed)])
        with pytest.raises(SystemExit):
            verify.main()
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines] == ["credentials", "consent", "mark", "register", "altered"]
        assert all(line.isprintable() for line in lines)
        assert '"x) register yes made here: \\x1b[32myours\\u202e' in "".join(lines)


@pytest.mark.parametrize("value", [5, [], ["x"], {"ada": 5}, {"ada": []}, {"../../x": "r"}, {"a" * 300: "r"}, None])
def test_a_manifest_of_wrong_types_is_answered(plain: Path, value: object) -> None:
    told = {"take": value, "purpose": value, "consent": value}
    bound = {"alg": MARK, "blocks": value}
    assertions = {"label": PROVENANCE, "data": told}, {"label": "c2pa.soft-binding", "data": bound}
    for number in (1, 2):
        found = inspect_video(sign_as(load_signing(), plain, Path("signed.mp4"), *assertions[:number]))
        assert all(words.isprintable() for words in _list_words(found))
        assert found.consent.verdict == "unknown"


@pytest.mark.parametrize("blocks", [5, ["x"], [{"value": {"a": 1}}], [{}], None])
def test_bindings_of_wrong_types_bind_no_mark(blocks: object) -> None:
    """Which the library refuses today; a later version may hand them on."""
    data = {"alg": MARK, "blocks": blocks}
    found = Credentials("trusted", manifest={"assertions": [{"label": "c2pa.soft-binding", "data": data}]})
    assert judge_mark(Pictures(Reading(ID, 30.0, ()), (), ""), found.mark).words.isprintable()


def test_another_maker_s_mark_is_not_held_against_ours() -> None:
    data = {"alg": "com.example.mark", "blocks": [{"value": "0000000000000000"}]}
    found = Credentials("trusted", manifest={"assertions": [{"label": "c2pa.soft-binding", "data": data}]})
    assert judge_mark(Pictures(Reading(ID, 30.0, ()), (), ""), found.mark).verdict == "yes"


def test_text_is_one_printable_line_of_bounded_length() -> None:
    assert show_text("a\n b\t\x1b[1m\u202e\udcff\u00e9") == "a b \\x1b[1m\\u202e\\udcff\u00e9"
    assert len(show_text("x" * 1000)) < 110
    assert [quote(text) for text in ("swap-1.mp4", 'a "b', "", 5)] == ["swap-1.mp4", '"a \'b"', '""', "(no text)"]


def test_credentials_beside_a_matroska_file_are_read(video: Path) -> None:
    copy = strip(video, Path("copy.mkv"))
    assert inspect_video(copy).credentials.verdict == "unknown"
    sidecar = sign_beside(copy, "application/octet-stream")
    found = inspect_video(copy)
    assert (found.credentials.verdict, found.altered.verdict, found.mark.verdict) == ("yes", "yes", "yes")
    copy.write_bytes(copy.read_bytes()[:-1] + b"!")
    assert inspect_video(copy).credentials.verdict == "no"
    sidecar.write_bytes(sidecar.read_bytes()[:500])
    assert inspect_video(copy).credentials.verdict == "unknown"


def test_a_sidecar_that_cannot_be_read_costs_the_credentials_alone(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = strip(video, Path("copy.mkv"))
    sign_beside(copy, "application/octet-stream")
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.suffix == ".c2pa":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    found = inspect_video(copy)
    assert "copy.c2pa: Permission denied" in found.credentials.words
    assert found.mark.verdict == "yes"


def test_a_folder_in_the_register_costs_its_answer_alone(video: Path) -> None:
    Path("register/0123456789abcdef.jsonl").mkdir()
    found = inspect_video(video)
    assert found.register.verdict == "unknown"
    assert "0123456789abcdef.jsonl" in found.register.words
    assert {found.credentials.verdict, found.consent.verdict, found.mark.verdict, found.altered.verdict} == {"yes"}


@pytest.mark.parametrize("error", [RegisterError("no index"), PermissionError(13, "no index")])
def test_an_index_that_cannot_be_made_costs_the_register_s_answer_alone(
    video: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("trust.judge_register.Index.by_sha256", fail)
    found = inspect_video(video)
    assert found.register.verdict == "unknown"
    assert "no index" in found.register.words
    assert {found.credentials.verdict, found.consent.verdict, found.mark.verdict, found.altered.verdict} == {"yes"}


def test_scratch_that_is_a_file_costs_the_register_s_answer_at_most(video: Path) -> None:
    shutil.rmtree(".work", ignore_errors=True)
    Path(".work").write_text("a file")
    found = inspect_video(video)
    assert {found.credentials.verdict, found.consent.verdict, found.mark.verdict, found.altered.verdict} == {"yes"}
    assert found.register.verdict in {"yes", "unknown"}


def test_a_bad_root_is_passed_over_and_named_where_it_matters(video: Path) -> None:
    (good,) = Path("trust/roots").glob("*.pem")
    Path("trust/roots/a.pem").write_bytes(b"\xff\xfe")
    Path("trust/roots/b.pem").mkdir()
    assert inspect_video(video).credentials.verdict == "yes"
    good.unlink()
    words = inspect_video(video).credentials.words
    assert "a signer unknown here" in words
    assert words.endswith('no certificate can be read from it: "trust/roots/a.pem", "trust/roots/b.pem"')


def test_a_name_that_the_terminal_cannot_print_is_printed(keyed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = keyed / "v\udcff\u00e9.mp4"
    path.write_bytes(b"no video")
    printed = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(printed, encoding="ascii", errors="strict"))
    monkeypatch.setattr(sys, "argv", ["verify", str(path)])
    with pytest.raises(SystemExit) as left:
        verify.main()
    sys.stdout.flush()
    assert left.value.code == verify.UNKNOWN
    assert b"v\\udcff\\xe9.mp4" in printed.getvalue()
