"""A small published video, what its people agreed to, copies of it, and files that others signed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import c2pa
import numpy as np

from tests.footage import encode_clip, numbered
from trust.keys import Signing, load_signing
from trust.origin import Origin
from trust.publish import Marking, Publisher, publish_part, publish_video
from vision.clip_read import read_frames
from vision.hashing import hash_file
from vision.planes import Planes, rgb_to_planes
from vision.video_write import VideoWriter, footage_format

FORM = footage_format((360, 480), Fraction(25))
ID = 0xFEDC_BA98_7654_3210
N_FRAMES = 50
ROOT = Path(__file__).resolve().parent.parent
RECORD: dict[str, Any] = json.loads((ROOT / "consent/ada/record.json").read_text()) | {"state": "given"}
CREATED = {
    "label": "c2pa.actions.v2",
    "data": {
        "actions": [
            {
                "action": "c2pa.created",
                "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
            }
        ]
    },
}


@dataclass(frozen=True)
class Composite:
    index: int
    planes: Planes
    duration: int | None = None

    @property
    def pts(self) -> int:
        return self.index


def publish(out: Path) -> tuple[str, ...]:
    """A swap of ben's face onto ada's clip; the hashes of the pictures that went to the encoder."""
    clip = encode_clip(out.with_name("clip.mp4"), numbered(range(3)))
    marking = Marking("off", is_verified=False, mark_id=ID, strength=1.0)
    pictures = [Composite(index, _paint(index, 1)) for index in range(N_FRAMES)]
    part = publish_part(pictures, FORM, marking, 0, 18)
    publish_video([part], out, FORM, 18, describe_origin(clip), Publisher())
    return part.picture_sha256


def write_record(identity: str, **changes: object) -> Path:
    """The record that the published video names of ben and ada: `<identity>-1`."""
    path = Path("consent", identity, "record.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(RECORD | {"identity": identity, "record_id": f"{identity}-1"} | changes))
    return path


def encode_again(video: Path, out: Path) -> Path:
    """The same pictures in another file, without credentials."""
    with VideoWriter(out, FORM, crf=23) as writer:
        for frame in read_frames(video):
            writer.write(frame.planes, frame.pts)
    return out


def strip(video: Path, out: Path) -> Path:
    """The same packets in a container without credentials."""
    with av.open(video) as old, av.open(out, "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return out


def sign_as(signing: Signing, plain: Path, signed: Path, *assertions: dict[str, Any]) -> Path:
    """A video with any assertions, as anybody's program may sign them, however malformed."""
    settings = {"version": 1, "verify": {"verify_after_sign": False}, "builder": {"thumbnail": {"enabled": False}}}
    builder = c2pa.Builder({"assertions": [CREATED, *assertions]}, context=c2pa.Context.from_dict(settings))
    with _signer(signing) as signer, plain.open("rb") as source, signed.open("w+b") as target:
        builder.sign(signer, "video/mp4", source, target)
    return signed


def sign_beside(plain: Path, media: str) -> Path:
    """Credentials in a file of their own beside a video."""
    builder = c2pa.Builder({"assertions": [CREATED]})
    builder.set_no_embed()
    sidecar = plain.with_suffix(".c2pa")
    with _signer(load_signing()) as signer, plain.open("rb") as file:
        sidecar.write_bytes(builder.sign(signer, media, file, BytesIO()))
    return sidecar


@contextmanager
def _signer(signing: Signing) -> Iterator[Any]:
    with c2pa.Signer.from_callback(signing.sign, c2pa.C2paSigningAlg.ES256, signing.chain) as signer:
        yield signer


def _paint(index: int, seed: int) -> Planes:
    """A textured scene that moves."""
    coarse = np.random.default_rng(seed).integers(40, 200, (60, 80, 3)).astype(np.uint8)
    whole = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
    return rgb_to_planes(np.ascontiguousarray(whole[index : index + 360, index : index + 480]), FORM.layout)


def describe_origin(clip: Path) -> Origin:
    """What the video's credentials tell of it."""
    return Origin(
        take="demo",
        purpose="publish",
        target_clip=clip,
        target_sha256=hash_file(clip),
        clips={"ada/clip.mp4": hash_file(clip)},
        consent={"ben": "ben-1", "ada": "ada-1"},
        checkpoint_sha256="c" * 64,
        commit="abc",
        lock_sha256="d" * 64,
        label="off",
        label_reason="told in the credits",
        mark_id=ID,
    )
