"""One person's face as it is learnt from some of their faces: its surface, how far it reaches, how it looks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vision.alignment import Points
from vision.chart import Chart, read_chart
from vision.covers import Looks, keep_lasting, learn_looks
from vision.extent import Extent, find_extent
from vision.outline import trace_face, trace_region
from vision.planes import HasPlanes
from vision.surface import Mesh, Shape, Surface, measure_misfit

Bits = NDArray[np.bool_]

MIN_CHARTS = 8  # of which looks can be learnt


@dataclass(frozen=True)
class FaceShape:
    """The shape of a face in a frame: its outline (N, 2) and those of what covers it, in frame pixels.

    `covered_ratio`: share of the face's seen texels that are covered; `sharpness_ratio`: of the person's median;
    `misfit_cm`: how far the mesh is from the person's shape, root mean square. NaN where they are not known.
    """

    outline: Points
    covers: tuple[Points, ...] = ()
    covered_ratio: float = math.nan
    sharpness_ratio: float = math.nan
    misfit_cm: float = math.nan


@dataclass(frozen=True)
class Sight:
    """What a frame shows of a face: its texels that look covered and those that were judged, (H, W); its sharpness."""

    covered: Bits
    judged: Bits
    sharpness_ratio: float


@dataclass(frozen=True)
class PersonFace:
    """A person's shape, surface, extent and looks; no looks where there were too few faces to learn from."""

    shape: Shape
    surface: Surface
    extent: Extent
    looks: Looks | None

    def look(self, frame: HasPlanes, mesh: Mesh) -> Sight | None:
        """What a frame shows of the person's face that has this mesh (478, 3); None without looks."""
        if self.looks is None:
            return None
        chart = read_chart(frame, mesh, self.surface)
        covered = self.looks.find_covered(chart)
        return Sight(covered, self.looks.find_judged(chart), self.looks.measure_sharpness(chart))

    def find_shape(self, mesh: Mesh) -> FaceShape:
        """The shape of the person's face that has this mesh, without what covers it."""
        outline = trace_face(self.extent, self.surface, mesh)
        return FaceShape(outline, misfit_cm=measure_misfit(mesh, self.shape))

    def add_sight(self, shape: FaceShape, mesh: Mesh, sight: Sight) -> FaceShape:
        """The shape with what its sight tells: covers and sharpness."""
        covers = trace_region(sight.covered, self.surface, mesh) if sight.covered.any() else []
        ratio = _share(sight.covered, sight.judged)
        return replace(shape, covers=tuple(covers), covered_ratio=ratio, sharpness_ratio=sight.sharpness_ratio)


def keep_lasting_covers(sights: Sequence[Sight], frames: Sequence[int]) -> list[Sight]:
    """The sights of a track's faces, in order of frames, each with the covers that last (vision/covers.py)."""
    lasting = keep_lasting(np.stack([sight.covered for sight in sights]), np.array(frames, np.int64))
    return [replace(sight, covered=covered) for sight, covered in zip(sights, lasting, strict=True)]


def learn_face(charts: Sequence[Chart], shape: Shape, surface: Surface, *, has_looks: bool) -> PersonFace:
    """A person's face from charts of one surface, at least one; `has_looks`: learn how it looks as well."""
    extent = find_extent(charts)
    looks = learn_looks(charts, extent) if has_looks and len(charts) >= MIN_CHARTS else None
    return PersonFace(shape, surface, extent, looks)


def _share(covered: NDArray[np.bool_], seen: NDArray[np.bool_]) -> float:
    return float(covered.sum() / seen.sum()) if seen.any() else math.nan
