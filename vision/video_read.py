"""The one careful reader of video: whitelisted containers, true time stamps, pictures upright, damage never silent.

What it takes and how, stated once:

- Only plain files, only through the protocol `file`, only containers in `CONTAINERS`: no playlists or lists that name
  other files (HLS, DASH, concat), no still pictures or subtitles. What a file holds counts, not its name's ending.
- Of several video streams the first that is no cover picture.
- Frames keep their own planes. Formats that are not planar YUV are converted to the nearest that is: packed and
  semi-planar YUV to planar with the same chroma, gray (untagged: full range) to 4:2:0 with neutral chroma, RGB and
  palettes to 4:4:4 of 8 bits in full range; above 8 bits all become 10. Transparency is dropped. `ClipInfo.notes` says
  so.
- An untagged matrix is BT.709 above 576 lines or from 1280 columns, BT.601 below. HDR transfers (PQ, HLG) are refused,
  since treating them as ordinary gamma would give wrong pictures.
- A bare H.264 or HEVC stream has no times: they are made from its rate, and a note says so.
- A stream that begins between key frames is shown from its first one on, and a note says what is missing.
- A frame that does not decode without error ends the reading with a ClipError, after the good frames before it.
"""

import contextlib
import logging
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, dropwhile, islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer

from errors import ClipError
from vision.clip import MAX_PIXELS, ClipInfo, Frame, Part, check_size
from vision.clip_files import check_file
from vision.orientation import UPRIGHT, Orientation, read_display_matrix
from vision.planes import Array, Layout, Matrix, Planes, rgb_to_planes, to_444
from vision.video_format import ColorTags

CONTAINERS = (
    *("mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "mxf", "flv", "asf", "ogg", "nut", "dv", "ivf"),
    *("gif", "h264", "hevc", "m4v", "yuv4mpegpipe"),
)
# Containers without an index of their frames lead to somewhere near a time stamp; so far before it is tried then.
SEEK_BACK_S = (0.0, 0.5, 2.0)
TS_PACKET_SIZES = (188, 192, 204)
# What libav says in its log only, without an error, where data is damaged or missing.
REPORT_S = 0.001  # in which a decoder's thread that waits for the interpreter in order to report gets it
# Of these, damage is an error or a flag, never in the log alone: threads may decode them.
THREADED, N_THREADS, MAX_THREADED_PIXELS = ("h264", "hevc"), 2, 10_000_000
DAMAGE_WORDS = ("CRC mismatch", "ended prematurely", "partial file")

_MATRICES = {
    1: Matrix.BT709,
    4: Matrix.FCC,
    5: Matrix.BT601,
    6: Matrix.BT601,
    7: Matrix.SMPTE240M,
    9: Matrix.BT2020,
    10: Matrix.BT2020,
}
_UNSPECIFIED = (0, 2, 3)
_FULL_RANGE = 2
_N_PLANES = 3
_HDR = {16: "PQ", 18: "HLG"}

# libav's log is heard where a capture below listens, each time that something occurs. Elsewhere it must not be: a
# decoder's thread that reports would wait for the interpreter, which waits for that thread when it ends the decoder.
# A capture hears its own thread only: what a decoder's thread says meanwhile goes to logging, which drops it.
av.logging.set_level(None)
av.logging.set_skip_repeated(False)
logging.getLogger("libav").setLevel(logging.CRITICAL + 1)


@contextlib.contextmanager
def open_clip(path: Path) -> Iterator[Any]:
    """An opened container of a clip, for this module and the writer's copy of its sound. Raises ClipError."""
    check_file(path)
    options = {"format_whitelist": ",".join(CONTAINERS), "protocol_whitelist": "file"}
    try:
        with av.logging.Capture():
            container = av.open(str(path.absolute()), metadata_errors="replace", options=options)
    except (av.FFmpegError, UnicodeError) as error:
        reason = "its format is not read here" if isinstance(error, av.ArgumentError) else _reason(error)
        raise ClipError(f"{path}: no video that can be read ({reason}); give a video file such as MP4") from error
    with container:
        try:
            yield container
        finally:
            time.sleep(REPORT_S)


def probe_video(path: Path) -> ClipInfo:
    """What a video is, from its header and its first frame. Raises ClipError."""
    with open_clip(path) as container:
        stream = _pick_stream(container, path)
        first = next(_Decoder(container, stream, path).pictures())
        return _describe(container, stream, first, path)


def read_video(path: Path, part: Part | None = None) -> Iterator[Frame]:
    """The frames of a video, or of a part of it, in order of presentation, one at a time.

    Raises ClipError, for damage when it is reached, and where the clip cannot be read from the part's first frame on.
    """
    with open_clip(path) as container:
        stream = _pick_stream(container, path)
        pictures = _find_pictures(container, stream, path, part)
        first = next(pictures)
        info = _describe(container, stream, first, path)
        orientation = _read_orientation(first, path)
        shape = _shape(first)
        last_pts: int | None = None
        for index, picture in enumerate(chain([first], pictures), part.first_frame if part else 0):
            where = f"{path}: frame {index}"
            if _shape(picture) != shape:
                raise ClipError(f"{where}: changes from {_show(shape)} to {_show(_shape(picture))}; cut the clip there")
            pts = _check_pts(_read_pts(container, picture, index, info), last_pts, where)
            last_pts = pts
            planes = _read_planes(picture, orientation, info.layout)
            yield Frame(index, pts, picture.duration or None, planes, info.layout, bool(picture.key_frame))


def _find_pictures(container: Any, stream: Any, path: Path, part: Part | None) -> Iterator[Any]:
    """The decoded pictures of a clip, or of exactly a part of it."""
    if part is None:
        yield from _Decoder(container, stream, path).pictures()
        return
    n_read, n_wanted = 0, part.end_frame - part.first_frame
    for picture in islice(_find_start(container, stream, path, part), n_wanted):
        yield picture
        n_read += 1
    if n_read < n_wanted:
        raise _no_part(path, part)


def _find_start(container: Any, stream: Any, path: Path, part: Part) -> Iterator[Any]:
    """The decoded pictures from the first of a part on. Raises ClipError where the clip does not lead there."""
    if not part.first_frame:
        return _Decoder(container, stream, path, is_whole=False).pictures()
    for back_s in SEEK_BACK_S:
        with contextlib.suppress(av.FFmpegError, ClipError):  # what it leads to cannot be decoded on its own
            container.seek(part.first_pts - round(back_s / stream.time_base), stream=stream)
            pictures = _Decoder(container, stream, path, is_whole=False).pictures()
            later = dropwhile(lambda picture: picture.pts is not None and picture.pts < part.first_pts, pictures)
            first = next(later, None)
            if first is not None and first.pts == part.first_pts:
                return chain([first], later)
    raise _no_part(path, part)


def _no_part(path: Path, part: Part) -> ClipError:
    return ClipError(f"{path}: cannot be read from frame {part.first_frame} on; remux the clip, for example to MP4")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _pick_stream(container: Any, path: Path) -> Any:
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not streams:
        raise ClipError(f"{path}: holds no moving picture, only sound or other data; give a video")
    stream = streams[0]
    if stream.codec_context is None:
        raise ClipError(f"{path}: its video codec is unknown here; convert the clip to H.264")
    check_size(stream.width, stream.height, path)
    context = stream.codec_context
    is_threaded = context.name in THREADED and stream.width * stream.height <= MAX_THREADED_PIXELS
    context.thread_type, context.thread_count = "FRAME", N_THREADS if is_threaded else 1
    context.options = {"err_detect": "crccheck+bitstream+buffer+explode", "max_pixels": str(MAX_PIXELS)}
    return stream


@contextlib.contextmanager
def _listen(lines: list[Any]) -> Iterator[None]:
    """Add what libav says in its log meanwhile."""
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as said:
            yield
    finally:
        av.logging.set_level(None)
        lines.extend(said)


class _Decoder:
    """Decodes one stream and stops at the first damage. `is_whole`: from its first frame on."""

    def __init__(self, container: Any, stream: Any, path: Path, *, is_whole: bool = True) -> None:
        self._container = container
        self._stream = stream
        self._path = path
        self._is_whole = is_whole
        self._packets = container.demux(stream)
        self._n_packets = 0
        self._n_frames = 0
        self._last: Any = None

    def pictures(self) -> Iterator[Any]:
        """Decoded pictures in order of presentation, at least one. Raises ClipError."""
        while (pictures := self._next_pictures()) is not None:
            for picture in pictures:
                if picture.is_corrupt:
                    raise self._damage("it decodes with errors only")
                self._last = picture
                yield picture
                self._n_frames += 1
        self._check_end()

    def _next_pictures(self) -> list[Any] | None:
        """The pictures that the next packet completes; None at the end. A packet is checked before it is decoded."""
        is_threaded = self._stream.codec_context.thread_count > 1
        lines: list[Any] = []
        try:
            with _listen(lines):
                packet = next(self._packets, None)
            if packet is not None:
                self._check_packet(packet)
            with contextlib.nullcontext() if is_threaded else _listen(lines):
                pictures: list[Any] | None = None if packet is None else packet.decode()
        except (av.FFmpegError, MemoryError) as error:
            raise self._damage(_reason(error)) from error
        said = next((line for _, _, line in lines if any(word in line for word in DAMAGE_WORDS)), None)
        if said is not None:
            raise self._damage(said)
        return pictures

    def _check_packet(self, packet: Any) -> None:
        if packet.is_corrupt:
            raise self._damage("its data is cut off")
        if packet.has_sidedata("encryption_info"):
            raise ClipError(f"{self._path}: is encrypted; give a clip without copy protection")
        self._n_packets += packet.size > 0

    def _check_end(self) -> None:
        """Find what is missing at the end without an error: of a declared number, or of a transport packet."""
        declared = self._stream.frames
        if not self._n_frames:
            raise ClipError(f"{self._path}: holds no frame that can be decoded; copy or export the clip again")
        if self._is_whole and self._n_packets < declared and self._ends_early():
            raise self._damage(f"the file ends here, but declares {declared} frames")
        if self._container.format.name == "mpegts" and all(self._container.size % size for size in TS_PACKET_SIZES):
            raise self._damage("the file ends here, in the middle of a packet")

    def _ends_early(self) -> bool:
        """Whether the stream is longer than its frames; the number alone may count frames that an edit list hides."""
        if self._last.pts is None or self._stream.duration is None:
            return False
        end = self._last.pts + (self._last.duration or 0)
        return bool(end < (self._stream.start_time or 0) + self._stream.duration)

    def _damage(self, reason: str) -> ClipError:
        seconds = 0.0 if self._last is None else float(self._last.time or 0)
        return ClipError(
            f"{self._path}: frame {self._n_frames} (after {seconds:.2f} s) is damaged: {reason.strip()}; "
            "copy the clip again or cut it before there"
        )


def _describe(container: Any, stream: Any, first: Any, path: Path) -> ClipInfo:
    orientation = _read_orientation(first, path)
    layout, notes = _read_layout(first, orientation, path)
    height, width = (first.width, first.height) if orientation.is_transposed else (first.height, first.width)
    pixel_shape = stream.sample_aspect_ratio or Fraction(1)
    return ClipInfo(
        height=height,
        width=width,
        layout=layout,
        color=_read_tags(first, layout),
        sample_aspect_ratio=1 / pixel_shape if orientation.is_transposed else Fraction(pixel_shape),
        time_base=Fraction(stream.time_base),
        rate=Fraction(stream.average_rate or stream.guessed_rate or 25),
        path=path,
        rotation=orientation.degrees,
        is_mirrored=orientation.is_mirrored,
        pixel_format=first.format.name,
        codec=stream.codec_context.name,
        has_sound=bool(container.streams.audio),
        is_interlaced=bool(first.interlaced_frame),
        is_stills=False,
        duration=stream.duration,
        notes=(*notes, *_note_streams(container, stream, first)),
    )


def _note_streams(container: Any, stream: Any, first: Any) -> Iterator[str]:
    if len(container.streams.video) > 1:
        yield f"{len(container.streams.video)} video streams, the first that is no cover picture is used"
    if first.interlaced_frame:
        yield "interlaced: frames are used as they are, both fields together"
    if first.pts is None:
        yield "has no time stamps, they are made from its rate"
    elif stream.start_time is not None and first.pts > stream.start_time:
        missing_s = float((first.pts - stream.start_time) * stream.time_base)
        yield f"begins between key frames: {missing_s:.2f} s before the first one cannot be decoded and are left out"
    if container.streams.subtitles:
        yield "subtitles are left out"


def _read_orientation(picture: Any, path: Path) -> Orientation:
    # Not picture.side_data: the picture would keep that, and that the picture and its decoder's memory.
    for data in SideDataContainer(picture):  # type: ignore[call-arg]  # its stub lacks the constructor
        if data.type.name == "DISPLAYMATRIX":
            try:
                return read_display_matrix(bytes(data))
            except ValueError as error:
                raise ClipError(f"{path}: is to be shown turned by no quarter ({error}); export it upright") from error
    return UPRIGHT


def _read_layout(picture: Any, orientation: Orientation, path: Path) -> tuple[Layout, tuple[str, ...]]:
    """The layout of the upright planes, and what is noted of the way to them."""
    if picture.color_trc in _HDR:
        name = _HDR[picture.color_trc]
        raise ClipError(f"{path}: is HDR ({name}); convert it to SDR (BT.709) first")
    matrix = _read_matrix(picture, path)
    layout, target = _nearest(picture, matrix)
    dropped = ", without its transparency" if any(part.is_alpha for part in picture.format.components) else ""
    notes = () if target is None else (f"{picture.format.name} is read as {target}{dropped}",)
    return _upright_layout(layout, picture, orientation), notes


def _upright_layout(layout: Layout, picture: Any, orientation: Orientation) -> Layout:
    """4:4:4 where a turn would put chroma samples between the grid's lines, else the steps turned."""
    if _needs_444(layout, picture, orientation):
        return Layout(1, 1, layout.bits, layout.matrix, layout.is_full_range)
    if orientation.is_transposed:
        return Layout(layout.step_y, layout.step_x, layout.bits, layout.matrix, layout.is_full_range)
    return layout


def _needs_444(layout: Layout, picture: Any, orientation: Orientation) -> bool:
    is_odd = bool(picture.width % layout.step_x or picture.height % layout.step_y)
    has_oblong_grid = orientation.is_transposed and layout.step_x != layout.step_y
    return (is_odd and orientation != UPRIGHT) or has_oblong_grid


def _read_matrix(picture: Any, path: Path) -> Matrix:
    code = int(picture.colorspace)
    if code in _UNSPECIFIED:
        return Matrix.BT709 if max(picture.height / 576, picture.width / 1279) > 1 else Matrix.BT601
    if code not in _MATRICES:
        raise ClipError(f"{path}: color matrix {code} is not supported; convert the clip to BT.709")
    return _MATRICES[code]


def _nearest(picture: Any, matrix: Matrix) -> tuple[Layout, str | None]:
    """The stored planes' layout, and the format to convert to first (None: as it is)."""
    form = picture.format
    is_full = int(picture.color_range) == _FULL_RANGE or form.name.startswith("yuvj")
    if _is_rgb(form):
        return Layout(1, 1, 8, matrix, is_full_range=True), "yuv444p"
    bits = 8 if form.components[0].bits == 8 else 10
    suffix = "" if bits == 8 else "10le"
    if len(form.components) < _N_PLANES:
        return Layout(2, 2, bits, matrix, is_full or not picture.color_range), f"yuv420p{suffix}"
    step_x, step_y = 1024 // form.chroma_width(1024), 1024 // form.chroma_height(1024)
    layout = Layout(step_x, step_y, bits, matrix, is_full)
    name = {(1, 1): "444", (2, 1): "422", (2, 2): "420", (1, 2): "440", (4, 1): "411", (4, 4): "410"}[step_x, step_y]
    target = f"yuv{name}p{suffix}"
    return layout, None if form.name in (target, target.replace("yuv", "yuvj")) else target


def _is_rgb(form: Any) -> bool:
    return bool(form.is_rgb or form.has_palette or form.is_bayer)


def _read_tags(picture: Any, layout: Layout) -> ColorTags:
    """The picture's own tags; of what was RGB, the ones that its planes were made with."""
    if _is_rgb(picture.format):
        code = 1 if layout.matrix is Matrix.BT709 else 6
        return ColorTags(code, _FULL_RANGE, int(picture.color_primaries), int(picture.color_trc))
    color_range = _FULL_RANGE if layout.is_full_range else int(picture.color_range)
    return ColorTags(int(picture.colorspace), color_range, int(picture.color_primaries), int(picture.color_trc))


def _shape(picture: Any) -> tuple[int, int, str]:
    return picture.width, picture.height, picture.format.name


def _show(shape: tuple[int, int, str]) -> str:
    return f"{shape[0]} x {shape[1]} {shape[2]}"


def _read_pts(container: Any, picture: Any, index: int, info: ClipInfo) -> int | None:
    if picture.pts is None and container.format.name in ("h264", "hevc", "m4v", "mpegvideo"):
        return round(index / (info.rate * info.time_base))
    pts: int | None = picture.pts
    return pts


def _check_pts(pts: int | None, last: int | None, where: str) -> int:
    if pts is None:
        raise ClipError(f"{where} has no time stamp; remux the clip, for example to MP4")
    if last is not None and pts <= last:
        raise ClipError(f"{where} is not later than the frame before it ({pts} after {last}); remux the clip")
    return pts


def _read_planes(picture: Any, orientation: Orientation, layout: Layout) -> Planes:
    stored, name = _nearest(picture, layout.matrix)
    if _is_rgb(picture.format):
        planes = rgb_to_planes(picture.to_ndarray(format="rgb24"), stored)
    elif len(picture.format.components) < _N_PLANES:
        planes = _read_gray(picture, stored)
    else:
        planes = _copy_planes(picture.reformat(format=name) if name else picture, stored)
    if _needs_444(stored, picture, orientation):
        planes, _ = to_444(planes, stored)
    luma, cb, cr = (orientation.turn(plane) for plane in planes)
    return luma, cb, cr


def _read_gray(picture: Any, layout: Layout) -> Planes:
    """Gray with neutral chroma. Gray above 10 bits comes through 16 bits, whose upper ten are kept."""
    luma = picture.to_ndarray(format="gray") if layout.bits == 8 else picture.to_ndarray(format="gray16le") >> 6
    size = (-(-picture.height // 2), -(-picture.width // 2))
    chroma = np.full(size, layout.middle, layout.dtype)
    return luma.astype(layout.dtype), chroma, chroma.copy()


def _copy_planes(picture: Any, layout: Layout) -> Planes:
    luma, cb, cr = (_copy_plane(plane, layout) for plane in picture.planes[:_N_PLANES])
    return luma, cb, cr


def _copy_plane(plane: Any, layout: Layout) -> Array:
    """A plane without its padding; a negative line size means that the last line comes first."""
    samples = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)
    if plane.line_size < 0:
        samples = samples[::-1]
    return np.ascontiguousarray(samples[:, : plane.width * layout.dtype().itemsize]).view(layout.dtype)
