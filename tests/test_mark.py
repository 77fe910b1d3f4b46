"""The invisible mark: its id survives what happens to videos, is never read where none is, and nobody sees it."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.footage import REAL, needs_footage
from tests.imports import ROOT
from tests.treat_lumas import Change, cut, cut_left, cut_sides, encode, halve, keep, make_form, overlap
from trust import mark_read, mark_view
from trust.mark import Marker
from trust.mark_code import N_CODE_BITS, decode_id, encode_id
from trust.mark_read import MAX_FRAMES, MIN_CERTAINTY, Reading, read_mark
from trust.mark_tile import make_tile
from vision.clip_read import read_frames
from vision.hashing import hash_picture
from vision.planes import Array, Layout, Planes
from vision.video_format import VideoFormat

FORMAT = make_form(np.empty((360, 640)))
LAYOUT = FORMAT.layout
ID = 0x0123_4567_89AB_CDEF
TILE_SHA256 = "0d545426f2f73c245b731c19b6b6f4e3dd57a388a62bbda42328caa7bca11d80"  # of the signs of ID's tile
IDS = [0, 1, (1 << 64) - 1, ID, 0xFEDC_BA98_7654_3210]


def paint_lumas(n_pictures: int, size: tuple[int, int] = (360, 640), seed: int = 1) -> list[Array]:
    """A made scene: a backdrop of soft cloth, a bright disk with fine texture that moves over it, and grain."""
    rng = np.random.default_rng(seed)
    height, width = size
    cloth = cv2.GaussianBlur(rng.normal(0, 1, size).astype(np.float32), (0, 0), 16)
    cloth = 90 + 25 * cloth / cloth.std() + cv2.GaussianBlur(rng.normal(0, 4, size).astype(np.float32), (0, 0), 1.0)
    disk = rng.normal(170, 9, size).astype(np.float32)
    pictures = []
    for number in range(n_pictures):
        mask = np.zeros(size, np.float32)
        center = (width // 3 + 2 * number, height // 2 + round(10 * np.sin(number / 5)))
        cv2.circle(mask, center, height // 4, 1, -1, cv2.LINE_AA)
        picture = cloth + mask * (np.roll(disk, 2 * number, axis=1) - cloth) + rng.normal(0, 1.5, size)
        pictures.append(np.clip(np.rint(picture), 16, 235).astype(np.uint8))
    return pictures


def give_planes(luma: Array, layout: Layout = LAYOUT) -> Planes:
    """A picture of this luma whose chroma is not gray."""
    size = (-(-luma.shape[0] // 2), -(-luma.shape[1] // 2))
    cb = np.arange(size[0] * size[1]).reshape(size) % 100 + layout.middle
    return luma, cb.astype(layout.dtype), np.full(size, layout.middle + 9, layout.dtype)


def fit(luma: Array, bits: int = 8) -> VideoFormat:
    return replace(make_form(luma), layout=replace(LAYOUT, bits=bits))


def mark(lumas: list[Array], mark_id: int = ID, strength: float = 1.0) -> list[Array]:
    marker = Marker(mark_id, fit(lumas[0]), strength)
    return [marker.embed(give_planes(luma))[0] for luma in lumas]


def measure_psnr(old: Array, new: Array) -> float:
    return float(cv2.PSNR(old, new))


@pytest.fixture(scope="module")
def lumas() -> list[Array]:
    return paint_lumas(24)


@pytest.fixture(scope="module")
def marked(lumas: list[Array]) -> list[Array]:
    return mark(lumas)


TREATMENTS = {
    "CRF 28": (keep, "libx264", 28),
    "half size": (halve, "libx264", 23),
    "10 % of the left, CRF 28": (cut_left, "libx264", 28),
    "5 % of each side, CRF 28": (cut_sides, "libx264", 28),
    "HEVC CRF 28": (keep, "libx265", 28),
}


@pytest.mark.parametrize(("change", "codec", "crf"), TREATMENTS.values(), ids=list(TREATMENTS))
def test_the_id_survives(marked: list[Array], change: Change, codec: str, crf: int) -> None:
    reading = read_mark(encode(change(marked), codec, crf))
    assert reading.mark_id == ID
    assert reading.certainty >= MIN_CERTAINTY


@pytest.mark.parametrize("mark_id", IDS)
def test_every_id_is_read_as_what_it_is(lumas: list[Array], mark_id: int) -> None:
    assert read_mark(mark(lumas[:4], mark_id)).mark_id == mark_id


@needs_footage
@pytest.mark.parametrize("name", ["person_c.mp4", "person_b.mp4", "crowd.mp4"])
def test_the_id_survives_on_real_faces_and_they_keep_41_db(name: str) -> None:
    old = [frame.planes[0] for frame, _ in zip(read_frames(REAL / name), range(30), strict=False)]
    new = mark(old)
    assert min(measure_psnr(*pair) for pair in zip(old, new, strict=True)) >= 41
    assert read_mark(encode(new, "libx264", 28)).mark_id == ID
    assert read_mark(encode(halve(new), "libx264", 23)).mark_id == ID
    assert read_mark(encode(old, "libx264", 28)).mark_id is None


def test_the_id_survives_on_the_demo_s_clip() -> None:
    """A still wall of books and a moving head, the worst of all clips that were tried."""
    clip = ROOT / "clips" / "ada" / "take1.mp4"
    old = [frame.planes[0] for frame, _ in zip(read_frames(clip), range(30), strict=False)]
    new = mark(old)
    assert min(measure_psnr(*pair) for pair in zip(old, new, strict=True)) >= 41
    assert read_mark(encode(new, "libx264", 28)).mark_id == ID
    assert read_mark(encode(halve(new), "libx264", 26)).mark_id == ID


@pytest.mark.parametrize("size", [(640, 360), (241, 433), (360, 1500), (1080, 608)])
def test_portrait_odd_and_long_pictures_are_read(size: tuple[int, int]) -> None:
    assert read_mark(mark(paint_lumas(6, size))).mark_id == ID


def _paint_noise(size: tuple[int, int]) -> Array:
    return np.random.default_rng(3).integers(0, 256, size).astype(np.uint8)


def test_nothing_is_read_where_no_mark_is(lumas: list[Array]) -> None:
    unmarked = [
        lumas,
        halve(lumas),
        cut_left(lumas),
        encode(lumas[:12], "libx264", 28),
        paint_lumas(6, (640, 360), seed=2),
    ]
    noise = [[_paint_noise(size)] * 2 for size in [(360, 640), (61, 400), (301, 299), (120, 120)]]
    for pictures in unmarked + noise:
        assert read_mark(pictures).mark_id is None


@pytest.mark.parametrize("luma", [0, 16, 126, 255])
def test_constant_pictures_say_nothing(luma: int) -> None:
    assert read_mark([np.full((360, 640), luma, np.uint8)] * 3) == Reading(None, 0.0, ())


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (16, 400), (59, 80), (60, 61), (64, 96), (400, 61), (5, 3000)])
@pytest.mark.parametrize("bits", [8, 10])
def test_tiny_pictures_are_marked_and_read_without_failing(size: tuple[int, int], bits: int) -> None:
    for sample in (0, (1 << bits) - 1, 500 >> (10 - bits)):
        luma = np.full(size, sample, np.uint8 if bits == 8 else np.uint16)
        planes = Marker(ID, fit(luma, bits), 1.0).embed(give_planes(luma, replace(LAYOUT, bits=bits)))
        assert planes[0].shape == size
        assert planes[0].dtype == luma.dtype
        assert read_mark([luma]).mark_id is None


def test_no_pictures_say_nothing() -> None:
    assert read_mark([]) == Reading(None, 0.0, ())


def test_black_pictures_that_are_marked_are_read() -> None:
    """The faint mark of flat ground alone suffices."""
    black = [np.full((360, 640), 16, np.uint8)] * 2
    assert np.abs(mark(black)[0].astype(int) - 16).max() <= 2
    assert read_mark(mark(black)).mark_id == ID


def test_chroma_and_the_input_stay_untouched(lumas: list[Array]) -> None:
    planes = give_planes(lumas[0])
    before = [plane.copy() for plane in planes]
    marked = Marker(ID, FORMAT, 1.0).embed(planes)
    for old, kept in zip(before, planes, strict=True):
        assert np.array_equal(old, kept)
    assert not np.shares_memory(planes[0], marked[0])
    assert np.array_equal(marked[1], before[1])
    assert np.array_equal(marked[2], before[2])
    assert not np.array_equal(marked[0], before[0])


@pytest.mark.parametrize("size", [(60, 100), (72, 96), (361, 203), (360, 640), (720, 900)])
@pytest.mark.parametrize("bits", [8, 10])
def test_a_marked_picture_keeps_41_db_however_lively_it_is(size: tuple[int, int], bits: int) -> None:
    layout = replace(LAYOUT, bits=bits)
    for noise in (_paint_noise(size), cv2.blur(_paint_noise(size), (5, 5))):
        luma = noise.astype(layout.dtype) * (1 << (bits - 8))
        marked = Marker(ID, fit(luma, bits), 1.0).embed(give_planes(luma, layout))[0]
        error = np.mean((marked.astype(float) - luma) ** 2)
        assert 41 <= 10 * np.log10((255 << (bits - 8)) ** 2 / error) < 45


def test_flat_ground_takes_less_than_texture() -> None:
    luma = np.full((360, 640), 120, np.uint8)
    luma[:, 320:] = np.clip(cv2.blur(_paint_noise((360, 320)), (3, 3)), 16, 235)
    change = np.abs(mark([luma])[0].astype(float) - luma)
    assert change[:, :280].max() <= 2
    assert change[:, 340:].mean() > 1.5 * change[:, :280].mean()


def test_an_edge_alone_is_no_texture() -> None:
    """Eight pixels beside it the ground takes no more than elsewhere."""
    luma = np.full((360, 640), 60, np.uint8)
    luma[:, 320:] = 200
    change = np.abs(mark([luma], strength=4.0)[0].astype(float) - luma)
    assert change[:, 316:324].max() > 6
    assert max(change[:, :312].max(), change[:, 328:].max()) == 5


def test_chips_have_no_hard_edges() -> None:
    """Between neighbors that differ lies a step of two thirds of the amplitude, not of twice of it."""
    added = mark([np.full((360, 640), 100, np.uint8)], strength=5.0)[0].astype(float) - 100
    steps = max(np.abs(np.diff(added, axis=axis)).max() for axis in (0, 1))
    assert 0.5 * added.max() < steps < 0.75 * added.max()


@pytest.mark.parametrize("sample", [0, 1, 254, 255])
def test_samples_at_the_end_of_the_range_are_cut_and_do_not_wrap(sample: int) -> None:
    luma = np.full((360, 640), sample, np.uint8)
    change = mark([luma], strength=2.0)[0].astype(int) - luma
    assert 0 < np.abs(change).max() <= 3
    wide = np.full((360, 640), sample * 1023 // 255, np.uint16)
    ten = Marker(ID, fit(wide, 10), 2.0).embed(give_planes(wide, replace(LAYOUT, bits=10)))[0]
    assert ten.max() <= 1023
    assert 0 < np.abs(ten.astype(int) - wide).max() <= 10


def test_ten_bits_carry_the_same_mark_more_finely(lumas: list[Array]) -> None:
    layout = replace(LAYOUT, bits=10)
    wide = [luma.astype(np.uint16) * 4 for luma in lumas[:4]]
    marker = Marker(ID, fit(wide[0], 10), 1.0)
    marked = [marker.embed(give_planes(luma, layout))[0] for luma in wide]
    assert marked[0].dtype == np.uint16
    assert read_mark(marked).mark_id == ID
    assert read_mark(wide).certainty == pytest.approx(read_mark(lumas[:4]).certainty, rel=0.01)
    narrow = mark(lumas[:1])[0].astype(float) - lumas[0]
    assert np.abs((marked[0].astype(float) - wide[0]) / 4 - narrow).max() <= 0.75


@pytest.fixture(scope="module")
def large() -> Planes:
    return give_planes(paint_lumas(1, (1080, 1920))[0])


def test_the_same_picture_gives_the_same_bytes_with_any_number_of_threads(large: Planes) -> None:
    threads = cv2.getNumThreads()
    digests = set()
    try:
        for n_threads in (1, 2, 4):
            cv2.setNumThreads(n_threads)
            digests.add(hash_picture(Marker(ID, fit(large[0]), 1.0).embed(large)))
    finally:
        cv2.setNumThreads(threads)
    assert len(digests) == 1


def hash_marked(luma: Array) -> str:
    """One hash of a picture marked in 8 bits, in 10, and in another size, at an odd strength."""
    digest = hashlib.sha256()
    other = np.ascontiguousarray(luma[3:, : luma.shape[1] // 3])
    for part, bits in ((luma, 8), (other, 8), (luma.astype(np.uint16) << 2, 10)):
        digest.update(Marker(ID, fit(part, bits), 1.3).embed((part, part, part))[0].tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("lacking", ["AVX2,FMA3,AVX512_SKX", "AVX2,FMA3,AVX512_SKX,AVX,FP16,SSE4_2,SSE4_1"])
def test_the_same_picture_gives_the_same_bytes_on_lesser_processors(
    large: Planes, lacking: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "luma.npy", large[0])
    code = "import sys, numpy; from tests.test_mark import hash_marked; print(hash_marked(numpy.load(sys.argv[1])))"
    environment = os.environ | {"OPENCV_CPU_DISABLE": lacking, "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3"}
    told = subprocess.check_output([sys.executable, "-c", code, tmp_path / "luma.npy"], env=environment, cwd=ROOT)
    assert told.decode().strip() == hash_marked(large[0])


def test_the_tile_is_the_one_that_older_videos_carry() -> None:
    """Another tile or code would make every mark that was ever set unreadable."""
    signs = make_tile(encode_id(ID)) > 0
    gray = np.full((60, 60), 100, np.uint8)
    assert np.array_equal(mark([gray])[0][:48, :48] > 100, signs)
    assert hashlib.sha256(signs.tobytes()).hexdigest() == TILE_SHA256


def test_strength_multiplies_the_mark(lumas: list[Array]) -> None:
    weak, strong = (np.abs(mark(lumas[:1], strength=s)[0].astype(float) - lumas[0]).mean() for s in (0.5, 1.5))
    assert 2.5 < strong / weak < 3.5


@pytest.mark.parametrize("mark_id", [-1, 1 << 64])
def test_an_id_beyond_64_bits_is_refused(mark_id: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        Marker(mark_id, FORMAT, 1.0)


@pytest.mark.parametrize("mark_id", IDS)
def test_the_code_bears_noise_as_strong_as_itself(mark_id: int, rng: np.random.Generator) -> None:
    heard = encode_id(mark_id) + rng.normal(0, 1.0, N_CODE_BITS)
    assert (heard * encode_id(mark_id) < 0).mean() > 0.1
    assert decode_id(heard) == (mark_id, True)


def test_a_code_of_noise_alone_fits_no_checksum(rng: np.random.Generator) -> None:
    assert not any(decode_id(rng.normal(0, 1.0, N_CODE_BITS))[1] for _ in range(20))


def test_a_fitting_checksum_alone_is_not_believed(lumas: list[Array], monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance alone makes up an id that pictures agree with to some degree."""
    monkeypatch.setattr(mark_read, "decode_id", lambda heard: (decode_id(heard)[0], True))
    reading = read_mark(lumas[:8])
    assert reading.mark_id is None
    assert 6 < reading.certainty < MIN_CERTAINTY


def test_a_mark_whose_checksum_does_not_fit_is_not_believed(
    marked: list[Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mark_read, "decode_id", lambda heard: (decode_id(heard)[0], False))
    reading = read_mark(marked[:8])
    assert reading.mark_id is None
    assert reading.certainty > MIN_CERTAINTY


def test_a_likelier_place_that_fits_no_checksum_is_passed_over(
    marked: list[Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However well the pilot and an id made up by chance agree with it."""
    wrong = float(mark_read.SCALES[-1])
    find, decode = mark_read._find_offset, mark_read._decode

    def is_wrong(place: Any) -> bool:
        return bool(abs(place.scale / wrong - 1) < 0.004)

    def find_wrong(detail: Array, scale: float, pilot: Array) -> Any:
        place = find(detail, scale, pilot)
        return replace(place, peak=place.peak + 100) if is_wrong(place) else place

    def decode_wrong(place: Any) -> Any:
        return replace(decode(place), certainty=99.0) if is_wrong(place) else decode(place)

    monkeypatch.setattr(mark_read, "_find_offset", find_wrong)
    monkeypatch.setattr(mark_read, "_decode", decode_wrong)
    assert read_mark(marked[:4]).mark_id == ID


@pytest.mark.parametrize("n_lines", [22, 14], ids=["between two steps", "elsewhere"])
def test_a_crop_is_read_whatever_scale_it_leads_to(n_lines: int) -> None:
    cropped = cut(mark(paint_lumas(4, (360, 1200))), top=n_lines / 360)
    steps = np.log(360 / (360 - n_lines) / mark_read.SCALES) / 0.006
    assert (np.abs(steps).min() > 0.4) == (n_lines == 22)
    assert read_mark(cropped).mark_id == ID


def test_loud_places_count_less(lumas: list[Array], monkeypatch: pytest.MonkeyPatch) -> None:
    """Than by their loudness: the quiet half of a picture tells the mark, the loud one drowns it."""
    loud = np.random.default_rng(5).normal(0, 15, (360, 320))
    halves = [np.hstack([luma[:, :320], np.clip(luma[:, 320:] + loud, 0, 255).astype(np.uint8)]) for luma in lumas[:4]]
    marked = mark(halves, strength=0.5)
    certainty = read_mark(marked).certainty
    monkeypatch.setattr(mark_view, "POWER", 1.0)
    assert certainty > 1.03 * read_mark(marked).certainty


def test_no_more_pictures_are_taken_than_needed() -> None:
    taken = count()

    def endless() -> Iterator[Array]:
        while True:
            next(taken)
            yield np.full((60, 60), 100, np.uint8)

    assert read_mark(endless()).mark_id is None
    assert next(taken) == MAX_FRAMES


@pytest.mark.parametrize("change", [keep, cut_left], ids=["whole", "cropped"])
def test_what_was_pasted_over_is_missing_and_nothing_else(marked: list[Array], change: Change) -> None:
    """A third of the height, after CRF 23; `change` moves the pictures' corner by 64 pixels or not at all."""
    others = paint_lumas(len(marked), seed=9)
    pasted = [luma.copy() for luma in marked]
    for luma, other in zip(pasted, others, strict=True):
        luma[40:160, 430:580] = other[40:160, 430:580]
    moved = 640 - change(marked)[0].shape[1]
    reading = read_mark(encode(change(pasted), "libx264", 23))
    assert reading.mark_id == ID
    assert [round(overlap(box, (430 - moved, 40, 580 - moved, 160)), 1) >= 0.5 for box in reading.missing] == [True]
    assert read_mark(encode(change(marked), "libx264", 23)).missing == ()


def test_of_long_pictures_the_middle_is_read_and_what_is_missing_lies_where_it_lies() -> None:
    """Of 1400 pixels the middle 960: what the ends show does not count."""
    lumas = paint_lumas(8, (240, 1400))
    pasted = mark(lumas)
    for luma, old in zip(pasted, lumas, strict=True):
        luma[60:160, 700:820] = old[60:160, 700:820]
        luma[:, :220] = luma[:, 1180:] = 100
    reading = read_mark(pasted)
    assert reading.mark_id == ID
    assert [overlap(box, (700, 60, 820, 160)) >= 0.5 for box in reading.missing] == [True]


def test_a_mark_too_faint_to_judge_has_nothing_missing(lumas: list[Array]) -> None:
    faint = mark(lumas, strength=0.4)
    for luma, old in zip(faint, lumas, strict=True):
        luma[40:160, 430:580] = old[40:160, 430:580]
    reading = read_mark(encode(faint, "libx264", 30))
    assert reading.missing == ()
