"""Land: how each kind of scene lays its ground, from the horizon to the viewer's feet."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from training.brush import Brush, Point
from training.palettes import GRASS, Color, Palette, mix, tint_season
from training.things import (
    LAMP,
    WHITE,
    draw_boat,
    draw_house,
    draw_peak,
    draw_pine,
    draw_tower,
    draw_tree,
)
from training.world import Scene, happens


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything a kind of scene paints with."""

    brush: Brush
    scene: Scene
    palette: Palette
    rng: random.Random
    light: Point


def ridge(stage: Stage, level: float, swing: float, waves: float) -> list[Point]:
    """Return a rolling skyline: two sines, closed at the bottom edge."""
    rng, width = stage.rng, stage.brush.width
    first, second = rng.uniform(0, math.tau), rng.uniform(0, math.tau)
    xs = [width * step / 80 for step in range(81)]
    line = [
        (
            x,
            level
            - swing * (math.sin(waves * math.tau * x + first) * 0.7)
            - swing * 0.3 * math.sin(waves * 2.1 * math.tau * x + second),
        )
        for x in xs
    ]
    return [*line, (width, 1.0), (0.0, 1.0)]


def grass(stage: Stage, depth: float = 0.0) -> Color:
    """Return the colour of open ground; `depth` fades it."""
    palette, scene = stage.palette, stage.scene
    color = palette.ground
    if scene.kind != "desert" and (scene.style == "poster" or scene.season == "winter"):
        color = tint_season(color, scene.season, scene.time, GRASS)
    if scene.time == "night":
        color = mix(color, palette.ground, 0.3)
    return mix(color, palette.far, depth)


def draw_ridge(stage: Stage, level: float, swing: float, waves: float, color: Color) -> None:
    """Paint one ridge that fades towards the horizon colour at its foot."""
    foot = mix(color, stage.palette.sky[2], 0.3)
    points = ridge(stage, level, swing, waves)
    stage.brush.fade(points, (level - swing, min(1.0, level + 0.26)), (color, foot))


def draw_peaks(stage: Stage, base: float, count: int, *, has_snow: bool, scale: float) -> None:
    """Stand `count` peaks side by side, the tallest not in the corner."""
    rng, palette, scene = stage.rng, stage.palette, stage.scene
    width = stage.brush.width
    slots = [(index + 0.5) / count for index in range(count)]
    order = sorted(slots, key=lambda _: rng.random())
    for rank, slot in enumerate(order):
        x = (slot + rng.uniform(-0.07, 0.07)) * width
        tall = scale * (1.0 - 0.16 * (count - 1 - rank)) * rng.uniform(0.93, 1.05)
        depth = 0.32 * (count - 1 - rank) / max(1, count - 1)
        shaded = mix(mix(palette.near, palette.far, 0.42), palette.far, depth)
        lit = mix(shaded, palette.sky[2], 0.34)
        glow = 0.1 if scene.time in {"day", "dawn"} else 0.3 if scene.time == "sunset" else 0.42
        snow = mix(WHITE, palette.sky[1], glow)
        half = tall * rng.uniform(0.72, 0.85)
        draw_peak(stage.brush, (lit, shaded, snow), (x, base - tall), base, half, has_snow=has_snow)


def plant(stage: Stage, level: float, size: float, count: int, *, depth: float = 0.0) -> None:
    """Plant one row of the scene's plants along `level`."""
    draw = draw_pine if "pines" in stage.scene.objects else draw_tree
    rng, width = stage.rng, stage.brush.width
    for index in range(count):
        x = (index + 0.5 + rng.uniform(-0.22, 0.22)) / count * width
        y = level + rng.uniform(-0.012, 0.012)
        draw(
            stage.brush,
            stage.scene,
            stage.palette,
            (x, y),
            size * rng.uniform(0.88, 1.1),
            depth=depth,
        )


def plant_group(stage: Stage, foot: Point, size: float, *, depth: float = 0.0) -> None:
    """Plant a group of three."""
    draw = draw_pine if "pines" in stage.scene.objects else draw_tree
    x, y = foot
    gap = size * 0.42
    for dx, dy, share in ((-gap, -0.012, 0.8), (gap, -0.008, 0.86), (0.0, 0.01, 1.0)):
        draw(stage.brush, stage.scene, stage.palette, (x + dx, y + dy), size * share, depth=depth)


def choose_sides(stage: Stage) -> tuple[float, float]:
    """Return the columns of the two main things, left and right in random order."""
    left, right = 0.27 * stage.brush.width, 0.73 * stage.brush.width
    jitter = stage.rng.uniform(-0.04, 0.04)
    first, second = (left, right) if happens(stage.rng, 0.5) else (right, left)
    return first + jitter, second - jitter


def furnish(stage: Stage, level: float) -> None:
    """Put house and plants on the foreground, on opposite sides."""
    first, second = choose_sides(stage)
    size = stage.rng.uniform(0.9, 1.1) * min(1.0, 0.55 + 0.45 * stage.brush.width)
    if "house" in stage.scene.objects:
        draw_house(stage.brush, stage.scene, stage.palette, (first, level), 0.19 * size)
    if {"pines", "trees"} & stage.scene.objects:
        plant_group(stage, (second, level + 0.03), 0.27 * size)
        if "house" not in stage.scene.objects:
            plant_group(stage, (first, level + 0.01), 0.22 * size, depth=0.12)


def draw_mountains(stage: Stage) -> None:
    """Paint peaks behind a ridge and a meadow."""
    palette, rng = stage.palette, stage.rng
    draw_ridge(stage, 0.5, 0.04, 0.9, palette.far)
    draw_peaks(stage, 0.72, rng.choice((2, 3)), has_snow=False, scale=0.36)
    draw_ridge(stage, 0.68, 0.03, 0.8, mix(palette.near, palette.far, 0.3))
    stage.brush.fade(
        ridge(stage, 0.8, 0.025, 0.6),
        (0.78, 1.0),
        (grass(stage), mix(grass(stage), palette.near, 0.4)),
    )
    furnish(stage, 0.83)


def draw_snow_mountains(stage: Stage) -> None:
    """Paint tall peaks with snow caps over a pale foreground."""
    palette, rng = stage.palette, stage.rng
    draw_ridge(stage, 0.52, 0.05, 1.1, mix(palette.far, palette.sky[2], 0.3))
    draw_peaks(stage, 0.76, rng.choice((1, 2, 3)), has_snow=True, scale=0.47)
    draw_ridge(stage, 0.72, 0.025, 0.8, mix(palette.near, palette.far, 0.55))
    stage.brush.fade(
        ridge(stage, 0.8, 0.025, 0.6),
        (0.78, 1.0),
        (grass(stage), mix(grass(stage), palette.near, 0.3)),
    )
    furnish(stage, 0.83)


def draw_hills(stage: Stage) -> None:
    """Paint four rolling layers of meadow."""
    palette = stage.palette
    draw_ridge(stage, 0.52, 0.05, 0.8, palette.far)
    for level, depth in ((0.6, 0.55), (0.7, 0.28)):
        color = mix(grass(stage, depth), palette.near, 0.2)
        draw_ridge(stage, level, 0.045, 0.7, color)
    stage.brush.fade(
        ridge(stage, 0.8, 0.03, 0.5),
        (0.76, 1.0),
        (grass(stage), mix(grass(stage), palette.near, 0.35)),
    )
    furnish(stage, 0.83)


def draw_light_path(stage: Stage, horizon: float, bottom: float) -> None:
    """Lay the light of sun or moon on the water as five bars."""
    if not {"sun", "moon"} & stage.scene.objects:
        return
    x, _ = stage.light
    for step in range(5):
        y = horizon + 0.035 + (bottom - horizon - 0.06) * step / 5
        half = 0.05 + 0.02 * step + stage.rng.uniform(-0.012, 0.012)
        slide = stage.rng.uniform(-0.015, 0.015)
        slide += 0.02 * math.sin(math.tau * stage.brush.moment + 2 * step)
        box = (x - half + slide, y, x + half + slide, y + 0.014)
        stage.brush.bar(box, stage.palette.light, 0.75)


def draw_sea(stage: Stage) -> None:
    """Paint open water with waves, an island now and then, and a boat."""
    brush, palette, rng = stage.brush, stage.palette, stage.rng
    horizon = rng.uniform(0.52, 0.58)
    if happens(rng, 0.4):
        x = rng.choice((0.14, 0.86)) * brush.width
        half = rng.uniform(0.2, 0.28)
        arc = [(x + half * math.cos(a), horizon + 0.005 - 0.09 * math.sin(a)) for a in arcs(24)]
        brush.fill(arc, mix(palette.far, palette.near, 0.35))
    brush.fade_box((0, horizon, brush.width, 1), (palette.water[1], palette.water[0]))
    draw_light_path(stage, horizon, 0.84)
    for row, level in enumerate((0.78, 0.86, 0.94)):
        color = mix(palette.water[0], palette.near, 0.12 + 0.14 * row)
        brush.fill(waves(stage, level), color, alpha=0.9)
        if row == 0:
            draw_sailor(stage, horizon)


def arcs(count: int) -> list[float]:
    """Return angles of the upper half circle."""
    return [math.pi * step / count for step in range(count + 1)]


def waves(stage: Stage, level: float) -> list[Point]:
    """Return a band of scallops closed at the bottom edge."""
    width, pitch = stage.brush.width, 0.16
    shift = stage.rng.uniform(0, pitch) - stage.brush.wind * pitch * stage.brush.moment
    xs = [width * step / 160 for step in range(161)]
    line = [(x, level - 0.022 * abs(math.sin(math.pi * (x + shift) / pitch))) for x in xs]
    return [*line, (width, 1.0), (0.0, 1.0)]


def draw_sailor(stage: Stage, horizon: float) -> None:
    """Put the boat on the water, beside the light."""
    if "boat" not in stage.scene.objects:
        return
    size = stage.rng.uniform(0.24, 0.32) * min(1.0, 0.45 + 0.55 * stage.brush.width)
    x, _ = choose_sides(stage)
    x += stage.brush.wind * 0.14 * stage.brush.moment
    bob = 0.006 * math.sin(2 * math.tau * stage.brush.moment)
    draw_boat(stage.brush, stage.scene, stage.palette, (x, horizon + 0.26 + bob), size)


def draw_lake(stage: Stage) -> None:
    """Paint mountains over still water that mirrors them."""
    brush, palette, rng = stage.brush, stage.palette, stage.rng
    horizon = rng.uniform(0.54, 0.58)
    draw_ridge(stage, horizon - 0.1, 0.05, 0.8, palette.far)
    draw_peaks(stage, horizon, 2, has_snow=stage.scene.season == "winter", scale=0.27)
    shore = mix(grass(stage, 0.25), palette.near, 0.25)
    brush.fade(
        ridge(stage, horizon - 0.02, 0.015, 0.7), (horizon - 0.04, horizon + 0.05), (shore, shore)
    )
    side, _ = choose_sides(stage)
    if "house" in stage.scene.objects:
        draw_house(brush, stage.scene, palette, (side, horizon - 0.005), 0.13)
    if {"pines", "trees"} & stage.scene.objects:
        plant_group(stage, (brush.width - side, horizon), 0.18, depth=0.1)
    brush.mirror(horizon, 0.75)
    draw_water_veil(stage, horizon)
    draw_light_path(stage, horizon, 0.86)
    draw_sailor(stage, horizon - 0.02)
    brush.fade(
        ridge(stage, 0.94, 0.02, 0.5),
        (0.92, 1.0),
        (grass(stage), mix(grass(stage), palette.near, 0.4)),
    )


def draw_water_veil(stage: Stage, horizon: float) -> None:
    """Tint the mirror with the colour of the water."""
    stage.brush.veil((horizon, 1.0), stage.palette.water[0], (0.3, 0.75))


def draw_forest(stage: Stage) -> None:
    """Paint three rows of trees, each nearer and darker."""
    palette, brush = stage.palette, stage.brush
    draw_ridge(stage, 0.46, 0.05, 0.8, palette.far)
    count = max(3, round(6 * brush.width))
    for level, size, depth, more in (
        (0.64, 0.26, 0.55, 2),
        (0.78, 0.34, 0.28, 1),
        (0.95, 0.44, 0.0, -1),
    ):
        color = grass(stage, depth * 0.8)
        brush.fade(
            ridge(stage, level - 0.03, 0.015, 0.7),
            (level - 0.05, 1.0),
            (color, mix(color, palette.near, 0.25)),
        )
        plant(stage, level, size, max(2, count + more), depth=depth)


def draw_desert(stage: Stage) -> None:
    """Paint dunes with a lit and a shaded side, and sometimes a cactus."""
    brush, palette, rng = stage.brush, stage.palette, stage.rng
    sand = mix(
        (236.0, 186.0, 108.0),
        palette.ground,
        {"day": 0.1, "dawn": 0.35, "sunset": 0.4, "night": 0.82}[stage.scene.time],
    )
    draw_ridge(stage, 0.55, 0.03, 0.7, mix(sand, palette.far, 0.5))
    for level, depth in ((0.62, 0.35), (0.74, 0.15), (0.87, 0.0)):
        crest = rng.choice((0.3, 0.7)) * brush.width + rng.uniform(-0.06, 0.06)
        dune(stage, level, crest, mix(sand, palette.far, depth * 0.5))
    if happens(rng, 0.55):
        x, _ = choose_sides(stage)
        draw_cactus(stage, (x, 0.86), rng.uniform(0.24, 0.3))


def dune(stage: Stage, level: float, crest: float, color: Color) -> None:
    """Paint one dune: a long hump whose far side lies in shade."""
    width = stage.brush.width
    xs = [width * step / 60 for step in range(61)]
    line = [(x, level + 0.05 - 0.11 * math.exp(-((x - crest) ** 2) / 0.1)) for x in xs]
    stage.brush.fill([*line, (width, 1.0), (0.0, 1.0)], color)
    shade = mix(color, stage.palette.near, 0.22)
    lee = [(x, y) for x, y in line if x > crest]
    top = (crest, level - 0.06)
    foot = [(crest + 0.3 * t * t, level - 0.06 + 0.3 * t) for t in (1.0, 0.8, 0.6, 0.4, 0.2)]
    stage.brush.fill([top, *lee, (width, level + 0.24), *foot], shade)


def draw_cactus(stage: Stage, foot: Point, size: float) -> None:
    """Draw a cactus with two arms."""
    x, y = foot
    green = mix(
        (62.0, 126.0, 84.0),
        stage.palette.near,
        {"day": 0.1, "dawn": 0.3, "sunset": 0.75, "night": 0.8}[stage.scene.time],
    )
    half = size * 0.09
    brush = stage.brush
    brush.bar((x - half, y - size, x + half, y + half), green)
    for side, low, high in ((-1, 0.42, 0.78), (1, 0.3, 0.64)):
        arm = x + side * size * 0.27
        brush.bar(
            (
                min(x, arm) - half * 0.4,
                y - size * low - half,
                max(x, arm) + half * 0.4,
                y - size * low + half * 0.6,
            ),
            green,
        )
        brush.bar(
            (arm - half * 0.8, y - size * high, arm + half * 0.8, y - size * low + half * 0.6),
            green,
        )


def draw_city(stage: Stage) -> None:
    """Paint three layers of buildings; only the nearest show windows by day."""
    palette, rng, brush = stage.palette, stage.rng, stage.brush
    is_dark = stage.scene.time in {"night", "sunset"}
    lamp = LAMP if is_dark else mix(palette.near, palette.sky[2], 0.5)
    for layer, (level, depth, count) in enumerate(((0.4, 0.75, 6), (0.54, 0.4, 5), (0.68, 0.0, 5))):
        color = mix(
            mix(palette.near, (60.0, 70.0, 100.0), 0.15),
            mix(palette.far, palette.sky[2], 0.2),
            depth,
        )
        columns = max(3, round(count * brush.width))
        pitch = brush.width / columns
        shift = rng.uniform(-0.5, 0.0) * pitch
        for index in range(columns + 1):
            left = shift + index * pitch
            top = level + rng.uniform(-0.1, 0.1)
            width = pitch * (0.92 if layer == 0 else rng.uniform(0.78, 0.95))
            draw_tower(brush, (left, top, left + width, 1.0), color, lamp if layer else None, rng)
    brush.box((0, 0.95, brush.width, 1.0), mix(palette.near, (14.0, 14.0, 28.0), 0.3))


DRAW: dict[str, Callable[[Stage], None]] = {
    "mountains": draw_mountains,
    "snow_mountains": draw_snow_mountains,
    "sea": draw_sea,
    "lake": draw_lake,
    "forest": draw_forest,
    "desert": draw_desert,
    "city": draw_city,
    "hills": draw_hills,
}
