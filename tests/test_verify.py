"""What a published video says of itself, to a clone that knows its signer and to one that does not; and what is told of
altered, stripped, foreign and hostile files."""

import json
import shutil
import stat
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import c2pa
import pytest

import trust.publish
from errors import RegisterError, TrustError
from tests.published import ID, N_FRAMES, encode_again, publish, sign_beside, strip, write_record
from trust import keys, verify
from trust.credentials import Credentials, read_credentials, require_trusted
from trust.inspect import inspect_video
from trust.keys import init_keys, load_signing
from trust.mark_read import NOTHING, Reading
from trust.marked import require_marked
from trust.publish import Publisher
from trust.register import NewEntry, Register
from vision.clip_read import read_frames
from vision.hashing import hash_picture
from vision.picture_hash import hash_look, pack_hashes


@pytest.fixture
def video(keyed: Path) -> Path:
    """A published video; the working folder is the clone that made it, with everybody's consent."""
    path = keyed / "swap.mp4"
    publish(path)
    write_record("ada")
    write_record("ben")
    return path


def _verify(path: Path, *options: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["verify", str(path), *options])
    with pytest.raises(SystemExit) as left:
        verify.main()
    assert isinstance(left.value.code, int)
    return left.value.code


def test_a_published_video_is_verified(video: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    require_marked(video)
    assert _verify(video, monkeypatch=monkeypatch) == 0
    said = capsys.readouterr().out
    assert 'trusted content credentials by "tests, made with Understudy", which says that a model changed' in said
    assert "take demo, purpose publish" in said
    assert "ada: record ada-1 stands; ben: record ben-1 stands" in said
    assert f"the mark {ID:016x} was found" in said
    assert "registered as made here: swap.mp4 (ben, ada;" in said
    assert "every byte is as it was registered" in said
    assert said.count(" yes ") == 5
    assert _verify(video, "--json", monkeypatch=monkeypatch) == 0
    assert {answer["verdict"] for answer in json.loads(capsys.readouterr().out).values()} == {"yes"}


def test_a_video_whose_mark_is_lost_or_another_s_does_not_verify(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trust.judge_mark.read_mark", lambda _: NOTHING)
    assert inspect_video(video).mark.verdict == "unknown"
    with pytest.raises(TrustError, match=r"was not found; lower convert\.crf or raise convert\.mark_strength"):
        require_marked(video)
    monkeypatch.setattr("trust.judge_mark.read_mark", lambda _: Reading(ID - 1, 40.0, ()))
    assert inspect_video(video).mark.verdict == "no"
    with pytest.raises(TrustError, match=rf"the mark {ID - 1:016x} was found, the credentials tell {ID:016x}; run its"):
        require_marked(video)


def test_asking_for_the_mark_alone_takes_no_more_of_a_video_than_it_needs(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trust.judge_mark.hash_look", lambda _: pytest.fail("no look is asked for"))
    monkeypatch.setattr("trust.judge_mark.read_mark", lambda lumas: Reading(ID, float(next(lumas).size), ()))
    require_marked(video)


def test_the_manifest_tells_what_was_done_and_from_what(video: Path) -> None:
    credentials = require_trusted(video)
    actions = (credentials.find_assertion("c2pa.actions.v2") or {})["actions"]
    assert [action["action"] for action in actions] == ["c2pa.opened", "c2pa.edited"]
    assert actions[1]["digitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert actions[1]["softwareAgent"]["name"] == "Understudy"
    mining = (credentials.find_assertion("cawg.training-mining") or {})["entries"]
    assert {entry["use"] for entry in mining.values()} == {"notAllowed"}
    assert credentials.mark == f"{ID:016x}"
    told = credentials.provenance or {}
    assert (told["checkpoint"], told["commit"], told["dvc_lock"]) == ("c" * 64, "abc", "d" * 64)
    assert (told["label"], told["label_reason"]) == ("off", "told in the credits")
    assert credentials.manifest is not None
    assert credentials.manifest["ingredients"][0]["relationship"] == "parentOf"
    assert "thumbnail" not in json.dumps(credentials.manifest)


def test_signing_changes_no_picture_and_every_signature_is_another(video: Path, keyed: Path) -> None:
    """And of two builds the hashes of the pictures that were handed over are the same."""
    unsigned = strip(video, keyed / "plain.mp4")
    signed, plain = ([hash_picture(frame.planes) for frame in read_frames(path)] for path in (video, unsigned))
    assert signed == plain
    first = video.read_bytes()
    assert publish(keyed / "swap.mp4") == publish(keyed / "swap.mp4")
    assert video.read_bytes() != first


def test_a_changed_byte_is_told(video: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(video.read_bytes())
    place = data.rindex(b"mdat") + 2000
    data[place] ^= 1
    altered = video.with_name("altered.mp4")
    altered.write_bytes(data)
    assert read_credentials(altered).state == "altered"
    with pytest.raises(TrustError, match="are not trusted"):
        require_trusted(altered)
    with pytest.raises(TrustError, match="do not fit the file"):
        require_marked(altered)
    assert _verify(altered, monkeypatch=monkeypatch) == 4
    said = capsys.readouterr().out
    assert "are not those that were signed (assertion.bmffHash.mismatch)" in said
    assert "the file is not the one that was signed" in said
    assert "no trusted credentials tell whose faces these are" in said


def test_a_stripped_copy_is_known_by_its_mark_and_its_look(video: Path, capsys: Any, monkeypatch: Any) -> None:
    copy = encode_again(video, video.with_name("copy.mp4"))
    assert read_credentials(copy) == Credentials("none")
    found = inspect_video(copy)
    assert (found.credentials.verdict, found.mark.verdict, found.register.verdict) == ("unknown", "yes", "unknown")
    assert f"the mark {ID:016x}" in found.mark.words
    assert "one with its mark is registered: made here: swap.mp4" in found.register.words
    assert _verify(copy, monkeypatch=monkeypatch) == 3
    with pytest.raises(TrustError, match="no content credentials"):
        require_marked(copy)
    # Without its mark as well (whatever way it was lost), the pictures' looks remain.
    monkeypatch.setattr("trust.judge_mark.read_mark", lambda _: NOTHING)
    assert "its pictures look like made here: swap.mp4" in inspect_video(copy).register.words
    capsys.readouterr()


def test_a_region_without_the_mark_is_pointed_at_in_what_is_no_longer_signed(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trust.judge_mark.read_mark", lambda _: Reading(ID, 40.0, ((140, 90, 340, 290),)))
    found = inspect_video(encode_again(video, video.with_name("pasted.mp4")))
    assert found.altered.verdict == "unknown"
    assert "missing in a part of the pictures (x 140 to 340, y 90 to 290)" in found.altered.words
    assert inspect_video(video).altered.verdict == "yes", "the register knows every byte"


def test_a_clone_without_the_root_does_not_know_the_signer(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    next(Path("trust/roots").glob("*.pem")).unlink()
    assert read_credentials(video).state == "unknown signer"
    assert _verify(video, monkeypatch=monkeypatch) == 3
    shutil.move("register", "elsewhere")
    assert inspect_video(video).altered.verdict == "unknown", "a stranger may have altered it before signing"
    with pytest.raises(TrustError, match=r"unknown signer: no root in trust/roots leads to it"):
        require_trusted(video)
    shutil.rmtree("private")
    init_keys("others")
    assert read_credentials(video).state == "unknown signer"


def test_a_restored_video_is_registered_elsewhere_until_the_register_is_merged(video: Path) -> None:
    for name in ("register", "private"):  # whose keys know what they have signed
        shutil.move(name, f"{name}-elsewhere")
    words = inspect_video(video).register.words
    assert words == "registered elsewhere: merge the register of the clone that made it"
    shutil.move("register-elsewhere", "register")
    assert inspect_video(video).register.verdict == "yes"


def test_an_altered_register_speaks_against_what_it_says(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = Path("register").glob("*.jsonl")
    file.write_text(file.read_text().replace("swap.mp4", "swop.mp4"))
    found = inspect_video(video)
    assert found.register.verdict == "no"
    assert file.name in found.register.words
    assert found.altered.words == "pictures and sound are as they were signed", "and not: every byte"
    assert _verify(video, monkeypatch=monkeypatch) == 4


@pytest.mark.parametrize("content", [b"", b"no video", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\0\xffmoov"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".txt"])
def test_what_is_no_video_is_unknown_and_no_crash(
    keyed: Path, content: bytes, suffix: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    path = keyed / f"file{suffix}"
    path.write_bytes(content)
    assert _verify(path, monkeypatch=monkeypatch) == 3
    assert "no mark was found" in capsys.readouterr().out


def test_a_file_that_is_not_there_is_one_line(keyed: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _verify(keyed / "none.mp4", monkeypatch=monkeypatch) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_credentials_beside_a_file_are_read_too(video: Path, keyed: Path) -> None:
    plain = encode_again(video, keyed / "plain.mp4")
    sign_beside(plain, "video/mp4")
    credentials = read_credentials(plain)
    assert (credentials.state, credentials.is_synthetic, credentials.provenance) == ("trusted", True, None)


def test_nothing_is_asked_of_the_net(video: Path, keyed: Path) -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        signing = load_signing()
        builder = c2pa.Builder({"assertions": []})
        builder.set_no_embed()
        builder.set_remote_url(f"http://127.0.0.1:{server.server_port}/manifest.c2pa")
        builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
        signer = c2pa.Signer.from_callback(signing.sign, c2pa.C2paSigningAlg.ES256, signing.chain)
        remote, plain = keyed / "remote.mp4", encode_again(video, keyed / "plain.mp4")
        with plain.open("rb") as source, remote.open("w+b") as target:
            builder.sign(signer, "video/mp4", source, target)
        assert b"manifest.c2pa" in remote.read_bytes()
        assert read_credentials(remote).state != "trusted"
        server.shutdown()
    assert asked == []


@pytest.mark.parametrize("step", ["sign_video", "require_trusted", "hash_file", "append"])
def test_whatever_fails_no_video_stands_under_its_name(keyed: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RegisterError("on the way")

    monkeypatch.setattr(Register if step == "append" else trust.publish, step, fail)
    with pytest.raises(RegisterError, match="on the way"):
        publish(keyed / "swap.mp4")
    assert sorted(path.name for path in keyed.iterdir()) == ["clip.mp4", "private", "trust"]


def test_a_video_is_registered_before_it_stands_under_its_name(keyed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    append = Register.append

    def watch(self: Register, new: NewEntry) -> Any:
        seen.append((keyed / "swap.mp4").exists())
        return append(self, new)

    monkeypatch.setattr(Register, "append", watch)
    publish(keyed / "swap.mp4")
    assert seen == [False]
    looks = [hash_look(frame.planes[0]) for frame in read_frames(keyed / "swap.mp4") if frame.index % 5 == 0]
    assert len(pack_hashes(looks)) == 8 * N_FRAMES // 5


def test_private_keys_are_for_their_owner_alone(keyed: Path) -> None:
    folder = keyed / "private/keys"
    private = {path.name for path in folder.iterdir() if b"PRIVATE KEY" in path.read_bytes()}
    assert private == {"root.key", "intermediate.key", "signing.key", "register.key"}
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in private} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    public = list((keyed / "trust/roots").iterdir())
    assert {path.suffix for path in public} == {".pem", ".pub"}
    assert all(b"PRIVATE" not in path.read_bytes() for path in public)
    with pytest.raises(TrustError, match=r"private/keys: there are keys already"):
        init_keys("again")


@pytest.mark.heavy
def test_a_program_may_sign_instead_of_a_key(keyed: Path) -> None:
    folder = keyed / "private/keys"
    (folder / "signing.key").rename(keyed / "vault.key")
    program = folder / "sign"
    lines = ("import sys", f"sys.path.insert(0, {str(Path(keys.__file__).parents[1])!r})", "from trust import keys")
    work = f"key = keys._load_key(keys.Path({str(keyed / 'vault.key')!r}))"
    write = "sys.stdout.buffer.write(keys._sign_raw(key, sys.stdin.buffer.read()))"
    program.write_text("\n".join([f"#!{sys.executable}", *lines, work, write, ""]))
    program.chmod(0o755)
    publish(keyed / "swap.mp4")
    require_trusted(keyed / "swap.mp4")
    program.write_text("#!/bin/sh\necho no key >&2\nexit 3\n")
    with pytest.raises(TrustError, match=r"private/keys/sign: gave no ES256 signature of 64 bytes \(no key\);"):
        publish(keyed / "other.mp4")
    assert not (keyed / "other.mp4").exists()


@pytest.mark.parametrize("name", ["chain.pem", "signing.key", "register.key"])
def test_a_missing_or_damaged_key_is_one_line_that_names_the_command(keyed: Path, name: str) -> None:
    path = keyed / "private/keys" / name
    path.unlink()
    with pytest.raises(TrustError, match=rf"private/keys/{name}: .*make them: python -m trust\.keys init"):
        Publisher()
    for damaged in (b"no key", b"\xff\xfe", b""):
        path.write_bytes(damaged)
        with pytest.raises(TrustError, match=rf"private/keys/{name}: is no .* in PEM.*make them"):
            Publisher()


@pytest.mark.parametrize("name", ["", " ", "x" * 52, "\u00e9" * 26, "a\nb"])
def test_a_name_that_fits_no_certificate_is_one_line_and_makes_nothing(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNDERSTUDY_PRIVATE", raising=False)
    monkeypatch.setattr(sys, "argv", ["keys", "init", "--name", name])
    with pytest.raises(SystemExit, match="1"):
        keys.main()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "--name" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 51, "\u00e9" * 25])
def test_the_longest_names_fit(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNDERSTUDY_PRIVATE", raising=False)
    init_keys(name)
    assert load_signing().chain


def test_withdrawn_consent_speaks_against_a_published_video(
    video: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = write_record("ben", state="withdrawn", withdrawal={"withdrawn_at": "2026-11-24T08:00:00Z", "note": ""})
    assert _verify(video, monkeypatch=monkeypatch) == 4
    said = capsys.readouterr().out
    assert "consent      NO       " in said
    assert "ben: consent does not stand now: ben withdrew consent on 2026-11-24" in said
    record.unlink()
    assert _verify(video, monkeypatch=monkeypatch) == 3
    assert "record ben-1 is not here" in capsys.readouterr().out
