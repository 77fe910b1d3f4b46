"""Convert: every frame comes out with its time, faces replaced inside their outline, and all else as it went in."""

import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from errors import ClipError, FaceError, TrustError
from models.autoencoder import build_autoencoder
from models.checkpoint import Checkpoint, CheckpointInfo, load_checkpoint, save_checkpoint
from models.roles import ROLES
from stages.convert import convert
from stages.params import Blend, Convert
from stages.release import Release
from tests.footage import encode_clip, numbered
from tests.made_clip import Dots, align_clip, make_clip, make_pictures
from trust.credentials import require_trusted
from trust.mark import Marker
from trust.register import check_register, read_register
from vision.clip_read import probe_clip, read_frames
from vision.crops import decode_png
from vision.expression import EXPRESSION
from vision.hashing import hash_file, hash_picture
from vision.light import LIGHT_PX
from vision.tables import CONVERSIONS, TRACKS, read_table, write_table
from vision.video_format import ColorTags

NO_DIFFERENCE = np.zeros((LIGHT_PX, LIGHT_PX, 3), np.float32)
BLEND = Blend(
    color_transfer="none", erosion_ratio=0.02, feather_ratio=0.04, detail=0.0, exchange_ratio=0.5, mask="outline"
)
PARAMS = {
    "batch_frames": 3,
    "missing": "pass",
    "label": "off",
    "label_reason": "a test",
    "mark_strength": 1.0,
    "crf": 0,
}
RELEASE = Release(take="demo", purpose="publish", parts={}, consent={"ada": "unverified", "ben": "unverified"})
SEEN = tuple(frame for frame in range(20) if not 6 <= frame < 16)


@pytest.fixture(autouse=True)
def _unmarked(keyed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish from a clone of its own, and without the mark, so that pictures can be held against the clip's bits."""
    del keyed
    monkeypatch.setattr(Marker, "embed", lambda _, planes: planes)
    monkeypatch.setattr("trust.publish._carries_mark", lambda *_: True)


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 20 frames with a face in half of them, its tracks, and an untrained checkpoint (gray faces)."""
    place = tmp_path_factory.mktemp("take")
    make_clip(place, "a.mp4", [Dots(SEEN, 20, 10)], n_frames=20)
    align_clip(place)
    info = CheckpointInfo("compact", 32, "tiny", 0.75, 128, 1)
    gray = np.full((32, 32, 3), 128, np.uint8)
    model = build_autoencoder("compact", 32, "tiny", 1)
    checkpoint = Checkpoint(model, info, dict.fromkeys(ROLES, gray), dict.fromkeys(ROLES, NO_DIFFERENCE))
    save_checkpoint(place / "c.safetensors", checkpoint)
    return place


def run(take: Path, out: Path, **changes: Any) -> pd.DataFrame:
    return convert_clip(take, "a.mp4", take / "c.safetensors", out, **changes)


def convert_clip(
    place: Path, name: str, checkpoint: Path, out: Path, blend: Blend = BLEND, **changes: object
) -> pd.DataFrame:
    """Convert a clip of tests/made_clip.py, aligned in `place`; the record."""
    convert(
        clip=place / "clips" / name,
        parts=place / "parts.parquet",
        tracks=place / "tracks.parquet",
        checkpoint=checkpoint,
        video=out / "a.mp4",
        record=out / "a.parquet",
        params=Convert.model_validate(PARAMS | changes),
        blend=blend,
        release=replace(RELEASE, parts={"ada": place / "parts.parquet"}),
    )
    return read_table(out / "a.parquet", CONVERSIONS)


def test_every_frame_comes_out_at_its_time_and_the_record_says_what_was_done(take: Path, tmp_path: Path) -> None:
    record = run(take, tmp_path)
    before, after = (list(read_frames(path)) for path in (take / "clips" / "a.mp4", tmp_path / "a.mp4"))
    assert len(after) == len(before) == 20
    assert record["pts"].tolist() == [frame.pts for frame in before]
    assert record.loc[record["is_swapped"], "frame"].tolist() == list(SEEN)
    assert set(record.loc[~record["is_swapped"], "reason"]) == {"no face of the target"}


def test_the_record_s_hashes_are_those_of_the_pictures_that_were_encoded(take: Path, tmp_path: Path) -> None:
    record = run(take, tmp_path)  # without label and loss, what comes out is what went to the encoder
    hashes = [hash_picture(frame.planes) for frame in read_frames(tmp_path / "a.mp4")]
    assert record["picture_sha256"].tolist() == hashes
    assert len(set(hashes)) > 5


def test_outside_the_face_nothing_changes_and_inside_it_is_replaced(take: Path, tmp_path: Path) -> None:
    run(take, tmp_path)
    pairs = zip(read_frames(take / "clips" / "a.mp4"), read_frames(tmp_path / "a.mp4"), strict=True)
    for before, after in pairs:
        changed = before.planes[0] != after.planes[0]
        if before.index not in SEEN:
            assert not changed.any()
            continue
        y, x = np.nonzero(changed)
        points = Dots(SEEN, 20, 10).five(before.index)
        center, reach = points.mean(0), 0.45 * 90
        assert changed.mean() > 0.03
        assert np.hypot(x - center[0], y - center[1]).max() < reach
        eye = points[0].round().astype(int)
        assert after.to_rgb()[eye[1], eye[0]].std() < before.to_rgb()[eye[1], eye[0]].std()


def test_an_erosion_below_zero_pastes_beyond_the_outline(take: Path, tmp_path: Path) -> None:
    before = next(iter(read_frames(take / "clips" / "a.mp4")))
    areas = []
    for erosion in (0.0, -0.05):
        blend = BLEND.model_copy(update={"erosion_ratio": erosion, "feather_ratio": 0.0})
        convert_clip(take, "a.mp4", take / "c.safetensors", tmp_path / str(erosion), blend)
        after = next(iter(read_frames(tmp_path / str(erosion) / "a.mp4")))
        areas.append((before.planes[0] != after.planes[0]).sum())
    assert areas[1] > 1.1 * areas[0]


@pytest.mark.parametrize("difference", [-0.4, 0.4])
def test_a_swap_stands_in_the_target_s_light_of_which_it_keeps_its_difference(
    take: Path, tmp_path: Path, difference: float
) -> None:
    checkpoint = load_checkpoint(take / "c.safetensors")
    checkpoint.lights["source"] = NO_DIFFERENCE + np.float32(difference)
    save_checkpoint(tmp_path / "c.safetensors", checkpoint)
    levels = {}
    for transfer in ("none", "light", "skin"):
        blend = BLEND.model_copy(update={"color_transfer": transfer, "feather_ratio": 0.0})
        convert_clip(take, "a.mp4", tmp_path / "c.safetensors", tmp_path / transfer, blend)
        pairs = zip(read_frames(take / "clips/a.mp4"), read_frames(tmp_path / transfer / "a.mp4"), strict=True)
        inside = [(b.to_rgb(), a.to_rgb(), b.planes[0] != a.planes[0]) for b, a in pairs if b.index in SEEN]
        levels[transfer] = [(before[m].mean(), after[m].mean()) for before, after, m in inside]
    for before, after in levels["light"]:
        assert after == pytest.approx((before + 4) * np.exp(difference) - 4, abs=6)
    for before, after in levels["skin"]:
        assert after == pytest.approx(before, abs=6), "of the skin's own difference nothing is kept"
    assert all(abs(lit[1] - plain[1]) > 10 for lit, plain in zip(levels["light"], levels["none"], strict=True))


def test_in_the_target_s_color_a_swap_keeps_what_differs_from_place_to_place(take: Path, tmp_path: Path) -> None:
    """The source's face is lighter to the right, and darker over all."""
    checkpoint = load_checkpoint(take / "c.safetensors")
    ramp = np.linspace(-0.8, 0.2, LIGHT_PX, dtype=np.float32)
    checkpoint.lights["source"] = NO_DIFFERENCE + ramp[None, :, None]
    save_checkpoint(tmp_path / "c.safetensors", checkpoint)
    blend = BLEND.model_copy(update={"color_transfer": "skin", "feather_ratio": 0.0})
    convert_clip(take, "a.mp4", tmp_path / "c.safetensors", tmp_path / "skin", blend)
    pairs = zip(read_frames(take / "clips/a.mp4"), read_frames(tmp_path / "skin/a.mp4"), strict=True)
    for before, after in ((b, a) for b, a in pairs if b.index in SEEN):
        inside = before.planes[0] != after.planes[0]
        columns = np.nonzero(inside)[1]
        is_left = np.arange(inside.shape[1]) < np.median(columns)
        ratio = (after.to_rgb().mean(2) + 4) / (before.to_rgb().mean(2) + 4)
        left, right = ratio[inside & is_left].mean(), ratio[inside & ~is_left].mean()
        assert right > 1.05 * left
        assert ratio[inside].mean() == pytest.approx(1, abs=0.08)


def test_the_size_of_batches_does_not_show(take: Path, tmp_path: Path) -> None:
    records = [run(take, tmp_path / str(n), batch_frames=n)["picture_sha256"].tolist() for n in (1, 7)]
    assert records[0] == records[1]


@pytest.mark.parametrize(("bias", "is_pasted"), [(10.0, True), (-10.0, False)])
def test_a_learned_mask_pastes_what_the_model_takes_for_a_face(
    take: Path, tmp_path: Path, bias: float, is_pasted: bool
) -> None:
    loaded = load_checkpoint(take / "c.safetensors")
    with torch.no_grad():
        loaded.model.get_parameter("decoder.own.source.2.bias")[12:] += bias  # of the mask, before pixel shuffle
    save_checkpoint(tmp_path / "c.safetensors", loaded)
    learned = BLEND.model_copy(update={"mask": "learned"})
    record = convert_clip(take, "a.mp4", tmp_path / "c.safetensors", tmp_path / "learned", learned)
    outlined = convert_clip(take, "a.mp4", tmp_path / "c.safetensors", tmp_path / "outline")
    same = record["picture_sha256"] == outlined["picture_sha256"]
    assert same.all() == is_pasted
    before = [hash_picture(frame.planes) for frame in read_frames(take / "clips/a.mp4")]
    assert (record["picture_sha256"].tolist() == before) != is_pasted


def test_the_measured_expression_decides_the_swap(take: Path, tmp_path: Path) -> None:
    info = CheckpointInfo("compact", 32, "tiny", 0.75, 128, 1)
    model = build_autoencoder("compact", 32, "tiny", 1)
    rng = np.random.default_rng(3)
    expressions = rng.normal(0, 1, (64, len(EXPRESSION))).astype(np.float32)
    directions = torch.from_numpy(
        rng.normal(0, 2, (len(EXPRESSION), model.encoder(torch.zeros(1, 3, 32, 32)).shape[1]))
    )
    for role, sign in zip(ROLES, (1, -1), strict=True):
        model.coder(role).learn_habit(expressions)
        model.coder(role).fit(expressions, sign * torch.from_numpy(expressions).double() @ directions)
    gray = np.full((32, 32, 3), 128, np.uint8)
    checkpoint = Checkpoint(model, info, dict.fromkeys(ROLES, gray), dict.fromkeys(ROLES, NO_DIFFERENCE))
    save_checkpoint(tmp_path / "c.safetensors", checkpoint)
    made = {}
    for opening in (-1.0, 1.0):
        table = read_table(take / "tracks.parquet", TRACKS).assign(**dict.fromkeys(EXPRESSION, np.float32(opening)))
        write_table(table, tmp_path / "tracks.parquet", TRACKS)
        place = tmp_path / str(opening)
        place.mkdir()
        (place / "clips").symlink_to(take / "clips")
        (place / "parts.parquet").symlink_to(take / "parts.parquet")
        for name in ("tracks.parquet", "c.safetensors"):
            (place / name).symlink_to(tmp_path / name)
        made[opening] = run(place, place)["picture_sha256"]
    exchanged = BLEND.model_copy(update={"exchange_ratio": 1.0})
    made[2.0] = convert_clip(place, "a.mp4", place / "c.safetensors", tmp_path / "2", exchanged)["picture_sha256"]
    for other in (-1.0, 2.0):
        is_other = made[other] != made[1.0]
        assert is_other.to_numpy().nonzero()[0].tolist() == list(SEEN)


def test_a_frame_without_a_face_fails_where_params_say_so_and_leaves_nothing(take: Path, tmp_path: Path) -> None:
    with pytest.raises(FaceError, match=r"a\.mp4: frame 6 .*missing"):
        run(take, tmp_path, missing="fail")
    assert [path.name for path in tmp_path.iterdir()] == ["keyed"]


def test_a_numbered_sequence_becomes_a_silent_video_at_its_own_rate(take: Path, tmp_path: Path) -> None:
    make_pictures(tmp_path, "seq", [Dots(SEEN, 20, 10)], n_frames=20, rate="24000/1001")
    align_clip(tmp_path)
    record = convert_clip(tmp_path, "seq", take / "c.safetensors", tmp_path)
    info, after = probe_clip(tmp_path / "a.mp4"), list(read_frames(tmp_path / "a.mp4"))
    assert (info.rate, info.has_sound) == (Fraction(24000, 1001), False)
    assert info.color == ColorTags(matrix=1, range=2, primaries=1, transfer=1)
    assert [frame.pts * info.time_base for frame in after] == [Fraction(1001 * i, 24000) for i in range(20)]
    assert record.loc[record["is_swapped"], "frame"].tolist() == list(SEEN)
    for frame in after:
        stored = decode_png((tmp_path / f"clips/seq/picture_{frame.index:04d}.png").read_bytes())
        is_other = np.abs(frame.to_rgb().astype(int) - stored).max(axis=2) > 1
        assert is_other.any() == (frame.index in SEEN)
        assert not is_other[:, 150:].any()


def test_stills_are_not_converted(take: Path, tmp_path: Path) -> None:
    make_pictures(tmp_path, "stills", [Dots(SEEN, 20, 10)], n_frames=20, rate=None)
    align_clip(tmp_path)
    with pytest.raises(ClipError, match=r"clips/stills: is a folder of stills.* rate\.txt"):
        convert_clip(tmp_path, "stills", take / "c.safetensors", tmp_path)
    assert not (tmp_path / "a.mp4").exists()


def test_a_label_is_burned_in_and_the_container_says_what_the_video_is(take: Path, tmp_path: Path) -> None:
    run(take, tmp_path, label="corner", label_reason=None)
    assert b"synthetic: face replaced" in (tmp_path / "a.mp4").read_bytes()
    before, after = (next(iter(read_frames(path))) for path in (take / "clips" / "a.mp4", tmp_path / "a.mp4"))
    changed = np.argwhere(before.planes[0] != after.planes[0])
    height, width = before.planes[0].shape
    in_corner = (changed[:, 0] > 0.8 * height) & ((changed[:, 1] > 0.5 * width) | (changed[:, 1] < 0.5 * width))
    assert in_corner.sum() > 50


def test_the_video_tells_its_origin_and_is_registered(take: Path, tmp_path: Path) -> None:
    run(take, tmp_path)
    credentials = require_trusted(tmp_path / "a.mp4")
    assert credentials.is_synthetic
    clip_sha256 = hash_file(take / "clips/a.mp4")
    provenance = credentials.provenance
    assert provenance is not None
    assert provenance["clips"] == {"ada/a.mp4": clip_sha256}
    assert provenance["checkpoint"] == hash_file(take / "c.safetensors")
    assert provenance["consent"] == {"ada": "unverified", "ben": "unverified"}
    assert (provenance["label"], provenance["label_reason"]) == ("off", "a test")
    (entry,) = read_register(Path("register"))
    assert check_register(Path("register")) == []
    assert (entry.kind, entry.sha256, entry.of) == ("made", hash_file(tmp_path / "a.mp4"), clip_sha256)
    assert entry.mark_id == credentials.mark
    assert len(entry.hashes) == 8 * 4  # of frames 0, 5, 10, 15


def test_the_mark_s_id_follows_from_what_the_video_is_made_of(take: Path, tmp_path: Path) -> None:
    marks = []
    for number, changes in enumerate(({}, {}, {"crf": 2})):
        run(take, tmp_path / str(number), **changes)
        marks.append(require_trusted(tmp_path / str(number) / "a.mp4").mark)
    assert marks[0] == marks[1] != marks[2]


def test_pictures_too_small_for_a_mark_are_refused_at_once(take: Path, tmp_path: Path) -> None:
    """Before anything else of the take is looked at."""
    (tmp_path / "clips").mkdir()
    encode_clip(tmp_path / "clips/small.mp4", numbered(range(3), (48, 64)))
    with pytest.raises(TrustError, match=r"small\.mp4: pictures of 48 x 64 are too small .* needs 60 lines"):
        convert_clip(tmp_path, "small.mp4", take / "none.safetensors", tmp_path)


def test_without_keys_nothing_is_converted(take: Path, tmp_path: Path, keyed: Path) -> None:
    shutil.rmtree(keyed / "private")
    with pytest.raises(TrustError, match=r"there is no key to sign with; make them: python -m trust\.keys init"):
        run(take, tmp_path)
    assert not (tmp_path / "a.mp4").exists()
