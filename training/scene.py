"""Renderer: draw the scene of a seed at any size.

The same seed gives the same picture at every resolution of one aspect ratio.
"""

import numpy as np

from training.brush import Brush
from training.land import DRAW, Stage
from training.palettes import INK_PALETTES, PALETTES, Palette, dim_for_rain
from training.sky import draw_sky, draw_weather
from training.world import Scene, sample_scene, seeded


def choose_palette(scene: Scene) -> Palette:
    """Return the colours of this scene."""
    table = INK_PALETTES if scene.style == "ink" else {}
    palette = table.get(scene.time) or PALETTES[scene.time][scene.tone]
    return dim_for_rain(palette, scene.time) if scene.weather == "rain" else palette


def draw_scene(scene: Scene, width: int, height: int, *, moment: float = 0.0) -> np.ndarray:
    """Draw a scene, at a moment of its clip; returns uint8 RGB of shape (height, width, 3)."""
    rng = seeded(scene.seed * 2 + 1)
    brush = Brush(width, height, moment=moment, wind=1.0 if scene.seed % 2 else -1.0)
    palette = choose_palette(scene)
    light = draw_sky(brush, scene, palette, rng)
    stage = Stage(brush=brush, scene=scene, palette=palette, rng=rng, light=light)
    DRAW[scene.kind](stage)
    draw_weather(brush, scene, palette, rng)
    return brush.read()


def render_clip(seed: int, width: int, height: int, frames: int) -> np.ndarray:
    """Draw the clip of a seed; returns uint8 RGB of shape (frames, height, width, 3)."""
    scene = sample_scene(seed)
    moments = [(index + 0.5) / frames - 0.5 for index in range(frames)]
    return np.stack([draw_scene(scene, width, height, moment=moment) for moment in moments])


def render(seed: int, width: int, height: int) -> np.ndarray:
    """Draw the picture of a seed."""
    return draw_scene(sample_scene(seed), width, height)
