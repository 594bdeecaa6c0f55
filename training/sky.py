"""Sky: gradient, sun or moon, stars, clouds, birds, and the weather in front of everything."""

import math
import random

from training.brush import Brush, Point
from training.palettes import Color, Palette, mix
from training.world import Scene, happens

WHITE: Color = (255.0, 255.0, 255.0)


def draw_sky(brush: Brush, scene: Scene, palette: Palette, rng: random.Random) -> Point:
    """Paint the sky down to the bottom edge; return where the sun or moon is."""
    brush.fade_box((0, 0, brush.width, 0.72), palette.sky)
    brush.box((0, 0.719, brush.width, 1), palette.sky[2])
    if "stars" in scene.objects:
        draw_stars(brush, palette, rng)
    light = place_light(brush, scene, rng)
    radius = rng.uniform(0.07, 0.1)
    if "sun" in scene.objects:
        brush.glow(light, radius * 4.2, mix(palette.light, WHITE, 0.3), 0.55)
        brush.disc(light, radius, palette.light)
    elif "moon" in scene.objects:
        draw_moon(brush, scene, palette, light, radius * 0.85)
    if "clouds" in scene.objects:
        draw_clouds(brush, scene, palette, rng)
    if "birds" in scene.objects:
        draw_birds(brush, scene, palette, rng)
    return light


def place_light(brush: Brush, scene: Scene, rng: random.Random) -> Point:
    """Choose one of three columns and a height that fits the time of day."""
    x = rng.choice((0.24, 0.5, 0.76)) * brush.width + rng.uniform(-0.04, 0.04)
    low, high = {
        "dawn": (0.32, 0.44),
        "day": (0.14, 0.22),
        "sunset": (0.3, 0.44),
        "night": (0.15, 0.25),
    }[scene.time]
    lift = 0.1 if scene.kind in {"forest", "city", "mountains", "snow_mountains"} else 0.0
    y = rng.uniform(low, high)
    # It climbs in the morning, sinks in the evening, and wanders with the hours in between.
    climb = {"dawn": 0.16, "day": 0.0, "sunset": -0.16, "night": 0.05}[scene.time] * brush.moment
    x += {"day": 0.1, "night": 0.1}.get(scene.time, 0.03) * brush.moment
    return (x, y - climb - lift if scene.time in {"dawn", "sunset"} else y - climb)


def draw_moon(brush: Brush, scene: Scene, palette: Palette, center: Point, radius: float) -> None:
    """Draw a full moon, or a crescent bitten out by the colour of the sky."""
    brush.glow(center, radius * 4.0, palette.light, 0.35)
    if not scene.is_crescent:
        brush.disc(center, radius, palette.light)
        return
    brush.fill(crescent(center, radius), palette.light)


def crescent(center: Point, radius: float) -> list[Point]:
    """Return the outline of a waning moon, tilted a little."""
    x, y = center
    turn = math.radians(-25)
    outer = [math.pi / 2 + math.pi * step / 24 for step in range(25)]
    rim = [(radius * math.cos(a), radius * math.sin(a)) for a in outer]
    bite = [(0.45 * radius * math.cos(a), radius * math.sin(a)) for a in reversed(outer)]
    cos, sin = math.cos(turn), math.sin(turn)
    return [(x + a * cos - b * sin, y + a * sin + b * cos) for a, b in rim + bite]


def draw_stars(brush: Brush, palette: Palette, rng: random.Random) -> None:
    """Scatter large four-pointed stars on a loose grid in the upper sky."""
    columns = max(3, round(5 * brush.width))
    for row in range(3):
        for column in range(columns):
            if happens(rng, 0.25):
                continue
            x = (column + rng.uniform(0.2, 0.8)) / columns * brush.width
            y = 0.03 + (row + rng.uniform(0.2, 0.8)) * 0.12
            size = rng.uniform(0.012, 0.022)
            twinkle = 1 + 0.25 * (math.sin(7 * brush.moment + 40 * x) - math.sin(40 * x))
            brush.fill(star((x, y), size * twinkle), mix(palette.light, WHITE, 0.5), alpha=0.95)


def star(center: Point, size: float) -> list[Point]:
    """Return a four-pointed star."""
    x, y = center
    radii = [size, size * 0.32] * 4
    angles = [math.pi / 4 * step for step in range(8)]
    return [(x + r * math.cos(a), y + r * math.sin(a)) for r, a in zip(radii, angles, strict=True)]


def draw_clouds(brush: Brush, scene: Scene, palette: Palette, rng: random.Random) -> None:
    """Float two or three clouds: round heads on a rounded bar."""
    tint = 0.22 if scene.time == "night" else 0.7 if scene.time == "day" else 0.5
    color = mix(palette.sky[1], WHITE, tint)
    if scene.weather == "rain":
        color = mix(palette.sky[0], WHITE, 0.12 if scene.time == "night" else 0.32)
    slots = [0.16, 0.5, 0.84]
    rng.shuffle(slots)
    for slot in slots[: 3 if scene.weather == "rain" else rng.choice((2, 2, 3))]:
        x = slot * brush.width + rng.uniform(-0.05, 0.05) + brush.wind * 0.16 * brush.moment
        draw_cloud(brush, (x, rng.uniform(0.1, 0.24)), rng.uniform(0.11, 0.16), color)


def draw_cloud(brush: Brush, center: Point, size: float, color: Color) -> None:
    """Draw one cloud, `size` is half its width."""
    x, y = center
    brush.bar((x - size, y - size * 0.18, x + size, y + size * 0.32), color)
    brush.disc((x - size * 0.4, y - size * 0.1), size * 0.36, color)
    brush.disc((x + size * 0.1, y - size * 0.24), size * 0.5, color)
    brush.disc((x + size * 0.55, y - size * 0.02), size * 0.3, color)


def draw_birds(brush: Brush, scene: Scene, palette: Palette, rng: random.Random) -> None:
    """Draw a flock of three to four wide-winged birds."""
    color = mix(palette.near, (30.0, 30.0, 40.0), 0.5)
    x = rng.choice((0.3, 0.7)) * brush.width
    y = rng.uniform(0.12, 0.26) if scene.kind != "sea" else rng.uniform(0.2, 0.3)
    x += brush.wind * 0.24 * brush.moment
    for dx, dy in ((0.0, 0.0), (0.085, -0.03), (-0.08, -0.035), (0.01, -0.075)):
        span = rng.uniform(0.028, 0.036)
        a, b = x + dx, y + dy
        wing = [(a - span, b - span * 0.5), (a - span * 0.4, b - span * 0.55), (a, b)]
        brush.stroke([*wing, *[(2 * a - p, q) for p, q in reversed(wing)]], 0.009, color, 1.0)


def draw_weather(brush: Brush, scene: Scene, palette: Palette, rng: random.Random) -> None:
    """Paint rain, snow or fog over the finished picture."""
    if scene.weather == "fog":
        color = mix(palette.sky[2], WHITE, 0.12 if scene.time == "night" else 0.4)
        brush.veil((0.3, 0.62), color, (0.0, 0.72))
        brush.veil((0.62, 0.9), color, (0.72, 0.0))
    elif scene.weather == "rain":
        for x, y in falling(loose_grid(brush, rng, 0.13), brush, fall=2.6, slant=-0.3):
            brush.stroke([(x, y), (x - 0.018, y + 0.06)], 0.006, (235.0, 240.0, 250.0), 0.55)
    elif scene.weather == "snow":
        for x, y in falling(loose_grid(brush, rng, 0.13), brush, fall=0.26, slant=0.25):
            brush.disc((x, y), rng.uniform(0.007, 0.013), WHITE, alpha=0.95)


def falling(points: list[Point], brush: Brush, *, fall: float, slant: float) -> list[Point]:
    """Return points that fall so many heights in a clip and come in again at the other side."""
    if not brush.moment:
        return points
    return [
        ((x + slant * fall * brush.moment) % (brush.width + 0.04), (y + fall * brush.moment) % 1.04)
        for x, y in points
    ]


def loose_grid(brush: Brush, rng: random.Random, pitch: float) -> list[Point]:
    """Return points spread over the picture, one in each cell of `pitch`."""
    columns, rows = math.ceil(brush.width / pitch), math.ceil(1 / pitch)
    return [
        ((i + rng.uniform(0.15, 0.85)) * pitch, (j + rng.uniform(0.15, 0.85)) * pitch)
        for j in range(rows)
        for i in range(columns)
    ]
