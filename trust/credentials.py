"""Content credentials (C2PA): signing a video's manifest into it, and reading what a file carries. Offline always.

`trusted` means: signed by a certificate that leads to a root in trust/roots/. Others' programs know these roots not,
and call the signer unknown.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import c2pa

from errors import TrustError
from trust.keys import Signing, keys_folder, read_roots
from trust.origin import PROVENANCE, Origin, describe_origin

State: TypeAlias = Literal["trusted", "unknown signer", "invalid", "unreadable", "none"]
MP4, OTHER = "video/mp4", "application/octet-stream"
SIDECAR = ".c2pa"
_FORMATS = {".mp4": MP4, ".m4v": MP4, ".mov": "video/quicktime", ".avi": "video/avi"}
_STATES: dict[str | None, State] = {"Trusted": "trusted", "Valid": "unknown signer"}


@dataclass(frozen=True)
class Credentials:
    """What a file's credentials say. `problems`: reasons against them, in C2PA's codes; `manifest`: the active one."""

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
        actions = (self.find_assertion("c2pa.actions.v2") or {}).get("actions", [])
        return any("lgorithmicMedia" in str(action.get("digitalSourceType", "")) for action in actions)

    @property
    def mark(self) -> str | None:
        """The id of the mark that the credentials bind, 16 hexadecimal digits."""
        blocks = (self.find_assertion("c2pa.soft-binding") or {}).get("blocks", [])
        return str(blocks[0].get("value")) if blocks else None

    def find_assertion(self, label: str) -> dict[str, Any] | None:
        for assertion in (self.manifest or {}).get("assertions", []):
            if assertion.get("label") == label and isinstance(assertion.get("data"), dict):
                data: dict[str, Any] = assertion["data"]
                return data
        return None


def sign_video(unsigned: Path, signed: Path, origin: Origin, title: str, signing: Signing) -> None:
    """Write an MP4 with its manifest signed in. Never onto the file itself. Raises TrustError."""
    with _one_line_errors(signed):
        builder = c2pa.Builder(describe_origin(origin, title), context=_context())
        _add_target(builder, origin.target_clip)
        signer = c2pa.Signer.from_callback(signing.sign, c2pa.C2paSigningAlg.ES256, signing.chain)
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
        return _read(path, media, sidecar.read_bytes())
    return credentials


def require_trusted(path: Path, media: str | None = None) -> Credentials:
    """The credentials of a video that must be signed by a root known here. Raises TrustError with the reasons."""
    credentials = read_credentials(path, media)
    if credentials.state != "trusted":
        is_unknown = credentials.state == "unknown signer"
        reasons = "no root in trust/roots leads to it" if is_unknown else ", ".join(credentials.problems) or "damaged"
        raise TrustError(f"{path}: its credentials are not trusted ({credentials.state}: {reasons}); sign it anew")
    return credentials


def _read(path: Path, media: str, sidecar: bytes | None) -> Credentials:
    try:
        with path.open("rb") as stream, c2pa.Reader(media, stream, sidecar, context=_context()) as reader:
            manifest = reader.get_active_manifest()
            results = reader.get_validation_results() or {}
            state = _STATES.get(reader.get_validation_state(), "invalid")
    except (c2pa.C2paError.ManifestNotFound, c2pa.C2paError.NotSupported):
        return Credentials("none")
    except c2pa.C2paError as error:
        return Credentials("unreadable", problems=(" ".join(str(error).split()),))
    failures = results.get("activeManifest", {}).get("failure", [])
    signature = (manifest or {}).get("signature_info", {})
    signer = ", ".join(str(signature[key]) for key in ("common_name", "issuer") if signature.get(key))
    return Credentials(state, signer, tuple(failure["code"] for failure in failures), manifest)


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


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except c2pa.C2paError as error:
        reason = " ".join(str(error).split())
        raise TrustError(f"{path}: cannot be signed ({reason}); look at the keys in {keys_folder()}") from None
