"""The world the model knows: what can be in a picture, and how a seed chooses it.

A `Scene` says what is drawn, never where: places come from the same seed inside the renderer.
"""

import random
from dataclasses import dataclass

from training.palettes import PALETTES

KINDS = ("mountains", "snow_mountains", "sea", "lake", "forest", "desert", "city", "hills")
TIMES = ("dawn", "day", "sunset", "night")
SEASONS = ("spring", "summer", "autumn", "winter")
WEATHERS = ("clear", "rain", "snow", "fog")
STYLES = ("poster", "ink")
OBJECTS = ("sun", "moon", "stars", "clouds", "birds", "boat", "house", "pines", "trees")

GREEN_KINDS = ("mountains", "lake", "forest", "hills")
CHANCES: dict[str, dict[str, float]] = {
    "boat": {"sea": 0.72, "lake": 0.45},
    "house": {"hills": 0.55, "mountains": 0.25, "snow_mountains": 0.3, "lake": 0.3},
    "plants": {"hills": 0.7, "mountains": 0.6, "snow_mountains": 0.6, "lake": 0.4, "forest": 1.0},
}


def seeded(seed: int) -> random.Random:
    """Return a generator of this seed; nothing here is secret."""
    return random.Random(int(seed))  # noqa: S311


def happens(rng: random.Random, chance: float) -> bool:
    """Toss a coin that falls on yes with this chance."""
    return rng.random() < chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One picture of the world in words; `seed` also fixes every place and size."""

    seed: int
    kind: str
    time: str
    tone: str
    season: str
    weather: str
    style: str
    objects: frozenset[str]
    is_crescent: bool = False


def sample_scene(seed: int) -> Scene:
    """Choose what is in the picture of this seed."""
    rng = seeded(seed)
    kind = rng.choice(KINDS)
    style = "ink" if happens(rng, 0.1) and kind not in {"city", "desert"} else "poster"
    time = rng.choice(TIMES)
    season = choose_season(rng, kind)
    weather = choose_weather(rng, kind, season)
    tone = "ink" if style == "ink" else rng.choice(tuple(PALETTES[time]))
    objects = choose_objects(rng, kind, time, season, weather)
    return Scene(
        seed=int(seed),
        kind=kind,
        time=time,
        tone=tone,
        season=season,
        weather=weather,
        style=style,
        objects=frozenset(objects),
        is_crescent=happens(rng, 0.35),
    )


def choose_season(rng: random.Random, kind: str) -> str:
    """Choose a season that shows in this kind of scene."""
    if kind == "snow_mountains":
        return rng.choice(("summer", "winter"))
    if kind in GREEN_KINDS:
        return rng.choices(SEASONS, (22, 40, 22, 16))[0]
    return "summer"


def choose_weather(rng: random.Random, kind: str, season: str) -> str:
    """Choose the weather; it never rains in the desert and snows in winter only."""
    if season == "winter":
        return rng.choices(("clear", "snow", "fog"), (55, 38, 7))[0]
    if kind == "desert":
        return "clear"
    if kind in {"snow_mountains", "city"}:
        return rng.choices(("clear", "rain", "snow", "fog"), (78, 8, 7, 7))[0]
    return rng.choices(("clear", "rain", "fog"), (80, 11, 9))[0]


def choose_objects(
    rng: random.Random, kind: str, time: str, season: str, weather: str
) -> list[str]:
    """Choose what stands in the picture."""
    is_night, is_clear = time == "night", weather in {"clear", "snow"}
    chances = {
        "moon" if is_night else "sun": 0.88 if is_clear else 0.2,
        "stars": 0.75 if is_night and weather == "clear" else 0.0,
        "clouds": 0.9 if weather == "rain" else 0.45 - 0.2 * is_night,
        "birds": 0.0 if is_night or not is_clear else 0.25,
        "boat": CHANCES["boat"].get(kind, 0.0),
        "house": CHANCES["house"].get(kind, 0.0),
    }
    objects = [name for name, chance in chances.items() if happens(rng, chance)]
    if happens(rng, CHANCES["plants"].get(kind, 0.0)):
        objects.append(choose_plant(rng, kind, season))
    return objects


def choose_plant(rng: random.Random, kind: str, season: str) -> str:
    """Choose pines or leafy trees: blossom and red leaves need leaves."""
    if kind in {"snow_mountains", "mountains"} and season in {"summer", "winter"}:
        return "pines"
    if season == "winter":
        return "pines"
    if season in {"spring", "autumn"}:
        return "trees"
    return rng.choice(("pines", "trees"))
