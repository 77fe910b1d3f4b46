"""One person's face as it is learnt from some of their faces: its surface, how far it reaches, how it looks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vision.alignment import Matrix, Points
from vision.chart import Chart, chart_crop
from vision.covers import Bits, Looks, Sight, learn_looks
from vision.crops import Picture
from vision.extent import Extent, find_extent
from vision.outline import trace_face, trace_region
from vision.outline_fit import fit_outline
from vision.surface import Mesh, Shape, Surface, measure_misfit

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
class PersonFace:
    """A person's shape, surface, extent and looks; no looks where there were too few faces to learn from."""

    shape: Shape
    surface: Surface
    extent: Extent
    looks: Looks | None

    def see(self, crop: Picture, frame_to_crop: Matrix, mesh: Mesh) -> tuple[FaceShape, Sight | None]:
        """The shape of the person's face that has this mesh (478, 3) in a frame, as yet without what its sight tells.

        No sight without looks.
        """
        placed = self.surface.place(mesh)
        outline = fit_outline(crop, frame_to_crop, trace_face(self.extent, placed, mesh))
        shape = FaceShape(outline, misfit_cm=measure_misfit(mesh, self.shape))
        return shape, self.looks.look_at(chart_crop(crop, frame_to_crop, placed)) if self.looks else None

    def add_sight(self, shape: FaceShape, mesh: Mesh, sight: Sight) -> FaceShape:
        """The shape with what its sight tells: covers and sharpness."""
        covers = trace_region(sight.covered, self.surface.place(mesh)) if sight.covered.any() else []
        ratio = _share(sight.covered, sight.judged)
        return replace(shape, covers=tuple(covers), covered_ratio=ratio, sharpness_ratio=sight.sharpness_ratio)


def learn_face(charts: Sequence[Chart], shape: Shape, surface: Surface, *, has_looks: bool) -> PersonFace:
    """A person's face from charts of one surface, at least one; `has_looks`: learn how it looks as well."""
    extent = find_extent(charts)
    looks = learn_looks(charts, extent) if has_looks and len(charts) >= MIN_CHARTS else None
    return PersonFace(shape, surface, extent, looks)


def _share(covered: Bits, seen: Bits) -> float:
    return float(covered.sum() / seen.sum()) if seen.any() else math.nan
