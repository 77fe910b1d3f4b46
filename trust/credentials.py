"""Content credentials (C2PA): signing a video's manifest into it, and reading what a file carries. Offline always.

`trusted` means: signed by a certificate that leads to a root in trust/roots/. Others' programs know these roots not,
and call the signer unknown.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import c2pa

from errors import TrustError
from trust.consent import Purpose
from trust.foreign_text import LONGEST_REASON, show_text
from trust.keys import Signing, keys_folder, read_roots
from trust.origin import MARK, PROVENANCE, Origin, describe_origin

State: TypeAlias = Literal["trusted", "unknown signer", "altered", "invalid", "unreadable", "none"]
MP4, OTHER = "video/mp4", "application/octet-stream"
SIDECAR = ".c2pa"
_FORMATS = {".mp4": MP4, ".m4v": MP4, ".mov": "video/quicktime", ".avi": "video/avi"}
_STATES: dict[str | None, State] = {"Trusted": "trusted", "Valid": "unknown signer"}


@dataclass(frozen=True)
class Credentials:
    """What a file's credentials say. `problems`: reasons against them, in C2PA's codes; `manifest`: the active one.

    `altered`: a hash or a signature does not fit; `invalid`: something else is wrong, such as an expired certificate.
    Whoever made the file wrote the manifest: texts are to be quoted (`trust.foreign_text`), types are checked here.
    """

    state: State
    signer: str = ""
    problems: tuple[str, ...] = ()
    manifest: dict[str, Any] | None = None

    @property
    def provenance(self) -> dict[str, Any] | None:
        """What an Understudy wrote of a video's origin; None where none did."""
        return self.find_assertion(PROVENANCE)

    @property
    def is_synthetic(self) -> bool:
        """Whether an action says that a model made or changed the picture."""
        actions = _keep_mappings((self.find_assertion("c2pa.actions.v2") or {}).get("actions"))
        return any("lgorithmicMedia" in str(action.get("digitalSourceType", "")) for action in actions)

    @property
    def consent(self) -> dict[str, object]:
        """By identity the id of the record of consent, or `unverified`; empty where that is not told."""
        told = (self.provenance or {}).get("consent")
        return told if isinstance(told, dict) else {}

    @property
    def purposes(self) -> tuple[Purpose, ...]:
        """What the video was made for: one purpose, or none where that is not told."""
        told = (self.provenance or {}).get("purpose")
        return tuple(purpose for purpose in get_args(Purpose) if purpose == told)

    @property
    def mark(self) -> str | None:
        """The id that the credentials bind of a mark like ours, 16 hexadecimal digits in those that we wrote."""
        binding = self.find_assertion("c2pa.soft-binding") or {}
        blocks = _keep_mappings(binding.get("blocks")) if binding.get("alg") == MARK else []
        return str(blocks[0].get("value")) if blocks else None

    def find_assertion(self, label: str) -> dict[str, Any] | None:
        for assertion in (self.manifest or {}).get("assertions", []):
            if assertion.get("label") == label and isinstance(assertion.get("data"), dict):
                data: dict[str, Any] = assertion["data"]
                return data
        return None


def sign_video(unsigned: Path, signed: Path, origin: Origin, title: str, signing: Signing) -> None:
    """Write an MP4 with its manifest signed in. Never onto the file itself. Raises TrustError."""
    failures: list[TrustError] = []
    with _one_line_errors(signed, failures):
        builder = c2pa.Builder(describe_origin(origin, title), context=_context())
        _add_target(builder, origin.target_clip)
        sign = _keep_failures(signing.sign, failures)
        signer = c2pa.Signer.from_callback(sign, c2pa.C2paSigningAlg.ES256, signing.chain)
        with unsigned.open("rb") as source, signed.open("w+b") as target:
            builder.sign(signer, MP4, source, target)


def read_credentials(path: Path, media: str | None = None) -> Credentials:
    """What a video's own credentials say, or those beside it (`name.c2pa`); state `none` where there are none.

    `media`: its MIME type, where the name does not tell. Of a file that is damaged or hostile
    they are `unreadable`, with the reason, or `none`. Raises OSError where it cannot be opened.
    """
    media = media or _FORMATS.get(path.suffix.lower(), OTHER)
    sidecar = path.with_suffix(SIDECAR)
    credentials = _read(path, media, None)
    if credentials.state == "none" and sidecar.is_file():
        return _read_beside(path, media, sidecar)
    return credentials


def require_trusted(path: Path, media: str | None = None) -> Credentials:
    """The credentials of a video that must be signed by a root known here. Raises TrustError with the reasons."""
    credentials = read_credentials(path, media)
    if credentials.state != "trusted":
        is_unknown = credentials.state == "unknown signer"
        reasons = "no root in trust/roots leads to it" if is_unknown else ", ".join(credentials.problems) or "damaged"
        raise TrustError(f"{path}: its credentials are not trusted ({credentials.state}: {reasons}); sign it anew")
    return credentials


def _read_beside(path: Path, media: str, sidecar: Path) -> Credentials:
    try:
        manifest = sidecar.read_bytes()
    except OSError as error:
        return Credentials("unreadable", problems=(f"{show_text(sidecar)}: {error.strerror}",))
    return _read(path, media, manifest)


def _read(path: Path, media: str, sidecar: bytes | None) -> Credentials:
    try:
        with path.open("rb") as stream, c2pa.Reader(media, stream, sidecar, context=_context()) as reader:
            manifest = reader.get_active_manifest()
            results = reader.get_validation_results() or {}
            state = _STATES.get(reader.get_validation_state(), "invalid")
    except (c2pa.C2paError.ManifestNotFound, c2pa.C2paError.NotSupported):
        return Credentials("none")
    except (c2pa.C2paError, KeyError) as error:  # KeyError: a damaged store lacks the manifest that it calls active
        return Credentials("unreadable", problems=(show_text(error, LONGEST_REASON),))
    problems = tuple(show_text(failure["code"]) for failure in results.get("activeManifest", {}).get("failure", []))
    if any(code.endswith(".mismatch") for code in problems):
        state = "altered"
    signature = (manifest or {}).get("signature_info", {})
    signer = ", ".join(str(signature[key]) for key in ("common_name", "issuer") if signature.get(key))
    return Credentials(state, signer, problems + _list_problems_of_parts(results), manifest)


def _list_problems_of_parts(results: dict[str, Any]) -> tuple[str, ...]:
    """What is wrong with credentials of what the video was made from: nothing of the video itself."""
    deltas = [delta["validationDeltas"] for delta in results.get("ingredientDeltas", [])]
    codes = [failure["code"] for delta in deltas for failure in delta.get("failure", [])]
    return tuple(f"{show_text(code)} of what it was made from" for code in codes)


def _keep_mappings(values: object) -> list[dict[str, Any]]:
    """Those of a list that are mappings; none where it is no list."""
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _add_target(builder: Any, clip: Path) -> None:
    """The target's clip as the video's parent; of one that is a folder of pictures only the name can be told."""
    told = {"title": clip.name, "relationship": "parentOf", "label": "target", "instance_id": "target"}
    if clip.is_dir():
        builder.add_ingredient(told, OTHER, io.BytesIO())
        return
    with clip.open("rb") as stream:
        builder.add_ingredient(told, _FORMATS.get(clip.suffix.lower(), OTHER), stream)


def _context() -> Any:
    """Trust the roots of this clone alone; ask the net nothing; put no picture of a person into a manifest."""
    settings: dict[str, Any] = {
        "version": 1,
        "verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False},
        "builder": {"thumbnail": {"enabled": False}},
    }
    roots = read_roots()
    return c2pa.Context.from_dict(settings | ({"trust": {"trust_anchors": roots}} if roots else {}))


def _keep_failures(sign: Callable[[bytes], bytes], failures: list[TrustError]) -> Callable[[bytes], bytes]:
    """`sign`, whose exceptions go to `failures`: the library tells only that there was one."""

    def sign_or_keep(data: bytes) -> bytes:
        try:
            return sign(data)
        except TrustError as error:
            failures.append(error)
            return b""

    return sign_or_keep


@contextmanager
def _one_line_errors(path: Path, failures: list[TrustError]) -> Iterator[None]:
    try:
        yield
    except c2pa.C2paError as error:
        if failures:
            raise failures[0] from None
        reason = " ".join(str(error).split())
        raise TrustError(f"{path}: cannot be signed ({reason}); look at the keys in {keys_folder()}") from None
