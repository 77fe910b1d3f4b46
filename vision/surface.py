"""A face's surface, unrolled: a grid of texels, each a mix of the mesh's points, so that it moves with the face.

The grid lies on a cylinder behind the face: columns run around it, rows down it. Above the mesh's upper edge the
forehead is carried on as it goes there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import Delaunay

from vision.mesh_regions import STABLE_POINTS, straighten
from vision.similarity import estimate_similarity

TEXEL_CM = 0.3  # on a face of MediaPipe's canonical size
N_SKIN = 468  # points of the mesh before those of the irises
FOREHEAD_EDGE = (21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251)  # the mesh's upper edge, from left to right

_AXIS_CM, _RADIUS_CM = 4.0, 8.0  # of the cylinder: how far its axis lies behind the origin; where lengths hold
_BELOW_CM = 3.0  # from a point of the upper edge to the one that tells how the forehead goes there
_RINGS = 2  # of points above the upper edge

Mesh = NDArray[np.floating]
Shape = NDArray[np.float64]  # (N_SKIN, 3): centimetres, y down and z towards the back


class Placed(NamedTuple):
    """Where texels lie on a face: x, y, z in pixels, z to the back, (H, W, 3), NaN off the face.

    `facing` (H, W): how far each is turned to the camera, 1 fully, 0 at its limb, below 0 away, -1 off the face.
    """

    texels: NDArray[np.float32]
    facing: NDArray[np.float32]


@dataclass(frozen=True)
class Surface:
    """A grid (H, W) of texels, each a mix of points: `shares` (H * W, points). `is_there` where it holds the face.

    Points from N_SKIN on lie above the upper edge: `above` has (point of the edge, point below it, how far on).
    """

    shares: csr_array
    is_there: NDArray[np.bool_]
    above: tuple[tuple[int, int, float], ...]

    def place(self, mesh: Mesh) -> Placed:
        """Where the texels lie on a face with this mesh (478, 3)."""
        carried = _carry_on(mesh[:N_SKIN, :3].astype(np.float32), self.above)
        texels: NDArray[np.float32] = (self.shares @ carried).reshape(*self.is_there.shape, 3)
        texels[~self.is_there] = np.nan
        return Placed(texels, _measure_facing(texels))


def fit_shape(meshes: Sequence[Mesh]) -> Shape:
    """The median shape of meshes (478, 3) of one person."""
    shape: Shape = np.median([straighten(mesh)[:N_SKIN] for mesh in meshes], axis=0)
    return shape


def measure_misfit(mesh: Mesh, shape: Shape) -> float:
    """How far the stable points of a mesh (478, 3) are from a person's shape: root mean square, centimetres."""
    stable = list(STABLE_POINTS)
    turn = estimate_similarity(mesh[stable].astype(np.float64), shape[stable])
    rest = mesh[stable] @ turn[:, :3].T + turn[:, 3] - shape[stable]
    return float(np.sqrt((rest**2).sum(axis=1).mean()))


def unroll(shape: Shape, forehead_cm: float) -> Surface:
    """The surface of a face of this shape, with `forehead_cm` of forehead above the mesh."""
    above = _list_above(shape, forehead_cm)
    carried = _carry_on(shape, above)
    flat = np.column_stack([_RADIUS_CM * np.arctan2(carried[:, 0], _AXIS_CM - carried[:, 2]), carried[:, 1]])
    triangles = Delaunay(flat)
    low = flat.min(axis=0)
    width, height = np.ceil((flat.max(axis=0) - low) / TEXEL_CM).astype(int) + 1
    grid = low + np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1) * TEXEL_CM
    found = triangles.find_simplex(grid)
    to_shares = triangles.transform[found]
    two = np.einsum("hwij,hwj->hwi", to_shares[:, :, :2], grid - to_shares[:, :, 2])
    shares = np.concatenate([two, 1 - two.sum(axis=2, keepdims=True)], axis=2)
    rows = np.arange(0, 3 * found.size + 1, 3)
    mixed = (shares.astype(np.float32).ravel(), triangles.simplices[found].ravel(), rows)
    return Surface(csr_array(mixed, shape=(found.size, len(carried))), found >= 0, above)


def _measure_facing(texels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The z of each texel's normal, by the texels beside it."""
    x, y, z = np.moveaxis(texels, 2, 0).copy()
    (x_across, x_down), (y_across, y_down), (z_across, z_down) = _slope(x), _slope(y), _slope(z)
    normal_x = y_across * z_down - z_across * y_down
    normal_y = z_across * x_down - x_across * z_down
    normal_z = x_across * y_down - y_across * x_down
    lengths = np.sqrt(normal_x**2 + normal_y**2 + normal_z**2)
    facing: NDArray[np.float32] = np.nan_to_num(normal_z / np.maximum(lengths, 1e-9), nan=-1)
    return facing


def _slope(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How a map (H, W) changes across and down, times any factor that is the same for both of a texel's neighbors."""
    wide = cv2.copyMakeBorder(values, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    return wide[1:-1, 2:] - wide[1:-1, :-2], wide[2:, 1:-1] - wide[:-2, 1:-1]


def _list_above(shape: Shape, forehead_cm: float) -> tuple[tuple[int, int, float], ...]:
    """For each point above the edge: the edge's, the one below it, how far on, as a share of their distance."""
    if not forehead_cm:
        return ()
    below = {point: _find_below(shape, point) for point in FOREHEAD_EDGE}
    lengths = {point: float(np.linalg.norm(shape[point] - shape[other])) for point, other in below.items()}
    return tuple(
        (point, below[point], forehead_cm * ring / _RINGS / lengths[point])
        for ring in range(1, _RINGS + 1)
        for point in FOREHEAD_EDGE
    )


def _find_below(shape: Shape, point: int) -> int:
    """The point of the mesh nearest to what lies _BELOW_CM under one of the upper edge, a little to the middle."""
    wanted = shape[point, :2] + (-shape[point, 0] / 4, _BELOW_CM)
    distances = np.hypot(*(shape[:, :2] - wanted).T)
    distances[list(FOREHEAD_EDGE)] = np.inf
    return int(distances.argmin())


def _carry_on(points: Mesh, above: tuple[tuple[int, int, float], ...]) -> Mesh:
    """The points (N_SKIN, 3) and those above them."""
    if not above:
        return points
    edge, below, shares = (np.array(column) for column in zip(*above, strict=True))
    further: Mesh = points[edge] + shares[:, None].astype(points.dtype) * (points[edge] - points[below])
    return np.concatenate([points, further])
