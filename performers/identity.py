"""Who the performers are: the numbers that make one synthetic head differ from another.

Lengths are centimeters in head space: x to the right of the picture, y up, z out of the face; the
origin lies between the eyes, in the middle of the head. Colors are linear RGB in [0, 1].
"""

from dataclasses import dataclass

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Eyes:
    """Eyes: half the distance of the pupils, half the width, lid heights when wide open, colors."""

    spacing: float
    half_width: float
    upper: float
    lower: float
    tilt: float
    iris: Color
    iris_inner: Color
    lashes: float


@dataclass(frozen=True)
class Brows:
    """Brows: height above the eyes, arch, half thickness, rise of the outer end, color, density."""

    height: float
    arch: float
    thickness: float
    slope: float
    color: Color
    density: float


@dataclass(frozen=True)
class Nose:
    """Nose: height of the base, how far the tip stands out, radii of bridge, tip and wings, half width."""

    base: float
    reach: float
    bridge: float
    tip: float
    wing: float
    half_width: float


@dataclass(frozen=True)
class Mouth:
    """Mouth: height of its line, half width at rest, heights of the lips, fullness, color."""

    height: float
    half_width: float
    upper: float
    lower: float
    fullness: float
    color: Color


@dataclass(frozen=True)
class Skull:
    """Skull: half width of the cranium, bumps of cheekbones, half width of the jaw, bump of its angle, chin, neck."""

    cranium: float
    cheek: float
    jaw: float
    jaw_angle: float
    chin_y: float
    chin: float
    brow_ridge: float
    neck: float


@dataclass(frozen=True)
class Skin:
    """Skin: base color, blush of cheeks, freckles, stubble and folds in [0, 1], gloss."""

    color: Color
    blush: float
    freckles: float
    stubble: float
    folds: float
    gloss: float


@dataclass(frozen=True)
class Hair:
    """Hair: colors of root and strand, hairline height, whether it falls to the shoulders."""

    color: Color
    light: Color
    hairline: float
    is_long: bool


@dataclass(frozen=True)
class Identity:
    """One performer."""

    name: str
    skull: Skull
    eyes: Eyes
    brows: Brows
    nose: Nose
    mouth: Mouth
    skin: Skin
    hair: Hair
    seed: int


ADA = Identity(
    name="ada",
    skull=Skull(cranium=7.3, cheek=0.45, jaw=5.9, jaw_angle=0.0, chin_y=-10.75, chin=0.75, brow_ridge=0.05, neck=4.5),
    eyes=Eyes(3.15, 1.68, 0.70, 0.54, 0.12, (0.055, 0.085, 0.035), (0.20, 0.15, 0.045), 1.0),
    brows=Brows(2.2, 0.40, 0.25, 0.02, (0.022, 0.013, 0.009), 1.25),
    nose=Nose(-4.25, 10.1, 0.58, 0.76, 0.54, 1.08),
    mouth=Mouth(-6.75, 2.35, 0.62, 0.86, 0.42, (0.50, 0.10, 0.11)),
    skin=Skin((0.68, 0.43, 0.33), 0.9, 0.12, 0.0, 0.35, 0.55),
    hair=Hair((0.020, 0.012, 0.009), (0.085, 0.048, 0.030), 6.6, True),
    seed=11,
)

BEN = Identity(
    name="ben",
    skull=Skull(cranium=7.5, cheek=0.25, jaw=6.5, jaw_angle=0.6, chin_y=-11.8, chin=1.5, brow_ridge=0.45, neck=5.6),
    eyes=Eyes(3.2, 1.60, 0.66, 0.53, -0.06, (0.10, 0.17, 0.26), (0.24, 0.32, 0.38), 1.0),
    brows=Brows(1.85, 0.22, 0.46, 0.02, (0.060, 0.038, 0.024), 1.3),
    nose=Nose(-4.9, 11.0, 0.80, 1.02, 0.72, 1.32),
    mouth=Mouth(-7.5, 2.75, 0.50, 0.70, 0.34, (0.36, 0.12, 0.10)),
    skin=Skin((0.46, 0.265, 0.17), 0.5, 0.4, 0.35, 0.45, 0.6),
    hair=Hair((0.17, 0.13, 0.09), (0.42, 0.34, 0.24), 6.9, False),
    seed=23,
)

IDENTITIES = {identity.name: identity for identity in (ADA, BEN)}
