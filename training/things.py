"""Things: boats, houses, pines, leafy trees, peaks and towers, each flat and lit from a side."""

import random

from training.brush import Brush, Point
from training.palettes import LEAVES, Color, Palette, mix, tint_season
from training.world import Scene, happens

BLACK: Color = (14.0, 14.0, 28.0)
WHITE: Color = (255.0, 255.0, 255.0)
LAMP: Color = (255.0, 214.0, 110.0)


def draw_boat(brush: Brush, scene: Scene, palette: Palette, foot: Point, size: float) -> None:
    """Draw a sailing boat, `size` wide, with its waterline at `foot`."""
    x, y = foot
    dark = mix(palette.near, BLACK, 0.35)
    is_night = scene.time == "night"
    sail = mix((250.0, 246.0, 236.0), palette.sky[1], 0.35 if is_night else 0.08)
    second = mix(palette.accent, palette.sky[1], 0.2 if is_night else 0.0)
    mast = y - size * 1.25
    brush.fill(
        [
            (x + size * 0.03, mast),
            (x + size * 0.03, y - size * 0.2),
            (x + size * 0.5, y - size * 0.2),
        ],
        sail,
    )
    brush.fill(
        [
            (x - size * 0.03, mast + size * 0.15),
            (x - size * 0.03, y - size * 0.2),
            (x - size * 0.42, y - size * 0.2),
        ],
        second,
    )
    brush.box((x - size * 0.025, mast - size * 0.05, x + size * 0.025, y - size * 0.1), dark)
    hull = [(-0.55, -0.14), (0.58, -0.14), (0.4, 0.06), (-0.38, 0.06)]
    brush.fill([(x + a * size, y + b * size) for a, b in hull], dark)


def draw_house(brush: Brush, scene: Scene, palette: Palette, foot: Point, size: float) -> None:
    """Draw a cottage, `size` wide, standing on `foot`, its windows lit at night."""
    x, y = foot
    light = {"day": 0.0, "dawn": 0.15, "sunset": 0.3, "night": 0.62}[scene.time]
    wall = mix((248.0, 236.0, 216.0), palette.near, light)
    roof = mix(palette.accent, palette.near, light * 0.4)
    if scene.season == "winter":
        roof = mix(WHITE, palette.sky[1], 0.35 if scene.time == "night" else 0.12)
    half, tall = size / 2, size * 0.55
    brush.box(
        (x + half * 0.35, y - size * 1.12, x + half * 0.62, y - size * 0.7), mix(wall, BLACK, 0.35)
    )
    brush.box((x - half, y - tall, x + half, y + size * 0.04), wall)
    brush.box((x, y - tall, x + half, y + size * 0.04), mix(wall, palette.near, 0.2))
    brush.fill(
        [(x - half * 1.28, y - tall), (x, y - size * 1.08), (x + half * 1.28, y - tall)], roof
    )
    pane = LAMP if scene.time in {"night", "sunset"} else mix(palette.near, BLACK, 0.2)
    brush.box((x - half * 0.7, y - tall * 0.75, x - half * 0.2, y - tall * 0.3), pane)
    brush.box(
        (x + half * 0.25, y - tall * 0.75, x + half * 0.75, y + size * 0.04),
        mix(palette.near, BLACK, 0.35),
    )


def draw_pine(
    brush: Brush, scene: Scene, palette: Palette, foot: Point, size: float, *, depth: float = 0.0
) -> None:
    """Draw a pine of height `size`; `depth` from 0 (near) to 1 fades it into the distance."""
    x, y = foot
    green = (34.0, 92.0, 84.0)
    color = mix(
        palette.near, green, {"day": 0.6, "dawn": 0.35, "sunset": 0.12, "night": 0.15}[scene.time]
    )
    if scene.style == "ink":
        color = palette.near
    if scene.season == "winter":
        color = mix(color, mix(WHITE, palette.sky[1], 0.3), 0.42)
    color = mix(color, palette.far, depth)
    lit = mix(color, palette.sky[2], 0.22)
    brush.box(
        (x - size * 0.03, y - size * 0.2, x + size * 0.03, y + size * 0.02), mix(color, BLACK, 0.4)
    )
    for top, bottom, half in ((0.5, 0.12, 0.27), (0.76, 0.36, 0.21), (1.0, 0.62, 0.15)):
        peak, base = (x, y - size * top), y - size * bottom
        brush.fill([peak, (x + size * half, base), (x - size * half, base)], color)
        brush.fill([peak, (x, base), (x - size * half, base)], lit)


def draw_tree(
    brush: Brush, scene: Scene, palette: Palette, foot: Point, size: float, *, depth: float = 0.0
) -> None:
    """Draw a leafy tree of height `size`: an oval crown with a lit side."""
    x, y = foot
    leaf = mix(palette.near, palette.far, 0.25)
    if scene.style == "poster" or scene.season in {"spring", "autumn"}:
        leaf = tint_season(leaf, scene.season, scene.time, LEAVES)
    leaf = mix(leaf, palette.far, depth)
    trunk = mix(mix((96.0, 66.0, 56.0), palette.near, 0.5), palette.far, depth)
    brush.box((x - size * 0.035, y - size * 0.45, x + size * 0.035, y + size * 0.02), trunk)
    brush.oval((x, y - size * 0.63), (size * 0.3, size * 0.37), leaf)
    brush.oval(
        (x - size * 0.08, y - size * 0.7),
        (size * 0.17, size * 0.22),
        mix(leaf, palette.sky[2], 0.28),
    )


def draw_peak(
    brush: Brush,
    colors: tuple[Color, Color, Color],
    top: Point,
    base: float,
    half: float,
    *,
    has_snow: bool,
) -> None:
    """Draw a mountain with a lit and a shaded face; colours are lit, shaded, snow."""
    x, y = top
    lit, shaded, snow = colors
    tall = base - y
    foot = x + half * 0.12
    brush.fill([(x, y), (foot, base), (x - half, base)], lit)
    brush.fill([(x, y), (x + half, base), (foot, base)], shaded)
    if not has_snow:
        return

    def on(side: float, share: float) -> Point:
        return (x + side * half * share, y + tall * share)

    middle = (x + (foot - x) * 0.42, y + tall * 0.42)
    brush.fill([(x, y), on(-1, 0.36), (x - half * 0.2, y + tall * 0.3), middle], snow)
    shade = mix(snow, shaded, 0.35)
    brush.fill([(x, y), middle, (x + half * 0.22, y + tall * 0.28), on(1, 0.4)], shade)


def draw_tower(
    brush: Brush,
    box: tuple[float, float, float, float],
    color: Color,
    lamp: Color | None,
    rng: random.Random,
) -> None:
    """Draw a block of flats with two big windows per floor; `lamp` None leaves it blank."""
    left, top, right, bottom = box
    brush.box(box, color)
    roof = rng.choice(("flat", "flat", "gable", "step"))
    width = right - left
    if roof == "gable":
        brush.fill([(left, top), ((left + right) / 2, top - width * 0.4), (right, top)], color)
    elif roof == "step":
        brush.box((left + width * 0.25, top - width * 0.3, right - width * 0.25, top), color)
    if lamp is None:
        return
    pane, pitch = width * 0.24, width * 0.5
    y = top + pitch * 0.45
    while y + pane < bottom:
        for side in (0.18, 0.58):
            if happens(rng, 0.72):
                x = left + width * side
                brush.box((x, y, x + pane, y + pane * 1.15), lamp)
        y += pitch
