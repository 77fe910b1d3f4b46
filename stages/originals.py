"""A person's clips -> entries of the register, where a record of consent confirms them."""

from pathlib import Path

from trust.register import NewEntry, open_register
from vision.picture_hash import EVERY, pack_hashes
from vision.tables import FRAMES, read_table


def register_originals(identity: str, frames: Path) -> None:
    """Register the clips of a table of frames. Raises TrustError where there are no keys, RegisterError."""
    register = open_register()
    table = read_table(frames, FRAMES, ["clip", "clip_sha256", "frame", "look"])
    for (clip, sha256), rows in table.groupby(["clip", "clip_sha256"]):
        looks = rows.loc[rows["frame"] % EVERY == 0, "look"]
        hashes = pack_hashes(int(look) for look in looks)
        register.append(NewEntry(kind="original", sha256=sha256, title=clip, identities=(identity,), hashes=hashes))
