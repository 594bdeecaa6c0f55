"""Captions: say in English or in Chinese what a scene shows, differently at every draw.

Words only ever state what is true of the scene; how much is said varies from nothing to everything.
"""

import random
from dataclasses import dataclass

from training.words import (
    GENERIC,
    KIND_WORDS,
    NOISE,
    OBJECT_WORDS,
    PRAISE,
    SEASON_WORDS,
    STARRY_WORDS,
    STYLE_WORDS,
    TIME_WORDS,
    TONE_WORDS,
    WEATHER_WORDS,
)
from training.world import Scene, happens

LANGUAGES = ("en", "zh")
EMPTY_SHARE, GENERIC_SHARE = 0.1, 0.06


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The words chosen for one caption; empty strings are left unsaid."""

    kind: str
    time: str
    tone: str
    season: str
    weather: str
    style: str
    objects: tuple[str, ...]
    praise: str


def write_caption(scene: Scene, rng: random.Random) -> str:
    """Write one caption, one in ten empty (for guidance) and one in sixteen generic."""
    chance = rng.random()
    if chance < EMPTY_SHARE:
        return ""
    language = rng.choice(LANGUAGES)
    if chance < EMPTY_SHARE + GENERIC_SHARE:
        return rng.choice(GENERIC[language])
    return describe(scene, language, rng)


def describe(scene: Scene, language: str, rng: random.Random, *, is_complete: bool = False) -> str:
    """Describe a scene in one language; a complete caption always says kind, time and mood."""
    facts = choose_facts(scene, language, rng)
    while is_complete and not is_telling(scene, facts):
        facts = choose_facts(scene, language, rng)
    return join_facts(facts, language, rng)


def join_facts(facts: Facts, language: str, rng: random.Random) -> str:
    """Write facts down in their language."""
    return join_english(facts, rng) if language == "en" else join_chinese(facts, rng)


def choose_facts(scene: Scene, language: str, rng: random.Random) -> Facts:
    """Choose what to say and which words to say it with."""

    def say(chance: float, words: tuple[str, ...]) -> str:
        return rng.choice(words) if happens(rng, chance) else ""

    season_chance = 0.75 if scene.season != "summer" else 0.12
    weather = WEATHER_WORDS[language].get(scene.weather, ("",))
    tone = TONE_WORDS[language].get(scene.tone, ("",))
    return Facts(
        kind=say(0.94, KIND_WORDS[language][scene.kind]),
        time=say(0.86, choose_time_words(scene, language, rng)),
        tone=say(0.4, tone),
        season=say(season_chance, SEASON_WORDS[language][scene.season]),
        weather=say(0.9, weather),
        style=say(0.95 if scene.style == "ink" else 0.12, STYLE_WORDS[language][scene.style]),
        objects=choose_objects(scene, language, rng),
        praise=say(0.2, PRAISE[language]) or say(0.04, NOISE[language]),
    )


def is_telling(scene: Scene, facts: Facts) -> bool:
    """Return whether nothing that can be seen from afar is left unsaid."""
    has_season = facts.season != "" or scene.season in {"spring", "summer"}
    has_weather = facts.weather != "" or scene.weather == "clear"
    has_style = facts.style != "" or scene.style == "poster"
    return bool(facts.kind and facts.time and has_season and has_weather and has_style)


def choose_time_words(scene: Scene, language: str, rng: random.Random) -> tuple[str, ...]:
    """Return words for the time; a night with stars is often called by them."""
    if "stars" in scene.objects and happens(rng, 0.4):
        return STARRY_WORDS[language]
    return TIME_WORDS[language][scene.time]


def choose_objects(scene: Scene, language: str, rng: random.Random) -> tuple[str, ...]:
    """Name most of what stands in the picture, in any order."""
    words = OBJECT_WORDS[language]
    chances = {"clouds": 0.75, "sun": 0.5, "moon": 0.6, "stars": 0.6, "birds": 0.9}
    said = [
        rng.choice(words[choose_name(scene, name, rng)])
        for name in sorted(scene.objects)
        if happens(rng, chances.get(name, 0.8))
    ]
    rng.shuffle(said)
    return tuple(said[:3])


def choose_name(scene: Scene, name: str, rng: random.Random) -> str:
    """Return the more exact name of an object now and then."""
    if name == "moon" and happens(rng, 0.5):
        return "crescent" if scene.is_crescent else "full"
    if name == "trees" and happens(rng, 0.75):
        return {"spring": "blossom", "autumn": "maples"}.get(scene.season, name)
    return name


def join_english(facts: Facts, rng: random.Random) -> str:
    """Join English facts as a sentence or as a list of tags."""
    things = " and ".join(facts.objects)
    if happens(rng, 0.4) or not facts.kind:
        return join_tags(facts, rng, ", ")
    parts = [facts.praise, facts.tone, facts.kind]
    if facts.time:
        parts.append(f"{rng.choice(('at', 'at', 'in the', ','))} {facts.time}")
    if things:
        parts.append(f"{rng.choice(('with', 'and', ','))} {things}")
    parts += [f", {word}" for word in (facts.season, facts.weather, facts.style) if word]
    return " ".join(" ".join(part for part in parts if part).split()).replace(" ,", ",")


def join_chinese(facts: Facts, rng: random.Random) -> str:
    """Join Chinese facts as a phrase or as a list of tags."""
    if happens(rng, 0.4) or not facts.kind:
        return join_tags(facts, rng, rng.choice(("，", "，", " ", "、", ",")))
    link = rng.choice(("的", "的", ""))
    lead = [word for word in (facts.season, facts.time, facts.weather) if word]
    rng.shuffle(lead)
    head = "".join(lead) + (link if lead else "")
    praise = f"{facts.praise}的" if facts.praise else ""
    tone = f"{facts.tone}的" if facts.tone else ""
    things = rng.choice(("，", "，有", "和")) + "和".join(facts.objects) if facts.objects else ""
    style = f"，{facts.style}" if facts.style else ""
    return f"{praise}{head}{tone}{facts.kind}{things}{style}"


def join_tags(facts: Facts, rng: random.Random, mark: str) -> str:
    """Join facts in random order."""
    words = [facts.kind, facts.time, facts.tone, facts.season, facts.weather, facts.style]
    words += [*facts.objects, facts.praise]
    words = [word for word in words if word]
    rng.shuffle(words)
    return mark.join(words)
