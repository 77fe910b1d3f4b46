"""A folder of pictures: names and rate.txt say order and rate, and each mistake is told in one line."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from errors import ClipError
from tests.made_pictures import save_pictures
from vision.picture_folder import read_folder, refuse_stills


def _touch(folder: Path, *names: str, rate: str | None = None) -> Path:
    """A folder of files that no one opens."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("not read")
    if rate is not None:
        (folder / "rate.txt").write_text(rate, encoding="utf-8")
    return folder


def test_a_sequence_is_in_order_of_its_numbers_whatever_their_padding(tmp_path: Path) -> None:
    names = ["shot2.v.9.PNG", "shot2.v.10.png", "shot2.v.011.png", "shot2.v.8.png"]
    folder = read_folder(_touch(tmp_path / "a", *names, ".DS_Store", "shot2.v.8.png.dvc", rate="25"))
    assert [path.name for path in folder.pictures] == [names[3], names[0], names[1], names[2]]
    assert folder.rate == 25


def test_stills_are_in_order_of_their_names_and_have_no_rate(tmp_path: Path) -> None:
    folder = read_folder(_touch(tmp_path / "a", "kim 2.tif", "kim 10.jpeg", "eve.JPG", ".hidden.png"))
    assert [path.name for path in folder.pictures] == ["eve.JPG", "kim 10.jpeg", "kim 2.tif"]
    assert folder.rate is None


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("25", Fraction(25)),
        ("23.976\r\n", Fraction(2997, 125)),
        ("\ufeff24000/1001\n", Fraction(24000, 1001)),
        (" 1000 ", Fraction(1000)),
    ],
)
def test_a_rate_is_kept_exactly(tmp_path: Path, text: str, rate: Fraction) -> None:
    assert read_folder(_touch(tmp_path / "a", "1.png", rate=text)).rate == rate


NO_RATES = ("", "\n", "fast", "25 fps", "25\n30", "0", "-25", "1001", "24/0", "1e2", "nan", "\u0662\u0665")


@pytest.mark.parametrize("text", NO_RATES)
def test_what_is_no_rate_is_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(ClipError, match=r"a/rate\.txt: (says .* which is no rate; write one line|is empty)") as caught:
        read_folder(_touch(tmp_path / "a", "1.png", rate=text))
    assert str(caught.value).isprintable()


MISTAKES: dict[str, tuple[list[str], str]] = {
    "gap": (["f1.png", "f2.png", "f5.png"], "a: between f2.png and f5.png 2 pictures are missing; add them, or cut"),
    "one number twice": (["f1.png", "f01.png"], "a: f01.png and f1.png have one number; take one out"),
    "two prefixes": (["f1.png", "g2.png"], "a: f1.png and g2.png are of two sequences; give each a folder"),
    "two endings": (["f1.png", "f2.jpg"], "a: f1.png and f2.jpg are of two sequences; give each a folder"),
    "no number": (["f1.png", "last.png"], "a/last.png: has no number before its ending; name a sequence's pictures"),
    "a video": (["f1.png", "f2.mp4"], "a/f2.mp4: is no picture by its name (.png, .tif, .tiff, .jpg, .jpeg); take it"),
    "nothing": ([], "a: is a folder without pictures; put PNG, TIFF or JPEG pictures there"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_names_that_make_no_sequence_are_told(tmp_path: Path, kind: str) -> None:
    names, said = MISTAKES[kind]
    with pytest.raises(ClipError) as caught:
        read_folder(_touch(tmp_path / "a", *names, rate="25"))
    assert str(caught.value).startswith(f"{tmp_path}/{said}")
    assert str(caught.value).isprintable()


ODD_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "folder": (lambda path: path.mkdir(), "is no plain file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is no plain file"),
    "dangling link": (lambda path: path.symlink_to("nowhere"), "cannot be opened"),
    "empty": (lambda path: path.touch(), "is empty; copy it again"),
}


@pytest.mark.parametrize("kind", ODD_FILES)
@pytest.mark.parametrize("rate", ["25", None])
def test_what_is_no_plain_file_is_told_before_it_is_opened(tmp_path: Path, kind: str, rate: str | None) -> None:
    make, said = ODD_FILES[kind]
    make(_touch(tmp_path / "a", "f1.png", rate=rate) / "f2.png")
    with pytest.raises(ClipError, match=f"a/f2.png: {said}"):
        read_folder(tmp_path / "a")


def test_stills_are_no_take_and_a_sequence_is_one(tmp_path: Path) -> None:
    clip = save_pictures(tmp_path / "a", ["f1.png", "f2.png"])
    with pytest.raises(ClipError, match=r"takes\.x: .*a: is a folder of stills.* put a file rate\.txt with its frames"):
        refuse_stills(clip, "takes.x: ")
    save_pictures(clip, [], rate="25")
    refuse_stills(clip)
