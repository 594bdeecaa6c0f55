"""Wishes: held-out captions of which it is known what they ask for."""

import random
from dataclasses import dataclass

from training.captions import Facts, choose_facts, is_telling, join_facts
from training.places import HELD_OUT_SEED
from training.words import OBJECT_WORDS
from training.world import OBJECTS, Scene, sample_scene, seeded

FIRST_SEED = HELD_OUT_SEED + 1000
SPECIAL_NAMES = {"full": "moon", "crescent": "moon", "blossom": "trees", "maples": "trees"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A caption, and the judge's questions whose answers it gives away."""

    scene: Scene
    language: str
    caption: str
    asked: frozenset[str]


def make_wishes(count: int, language: str) -> list[Wish]:
    """Write one caption for each of the first held-out scenes, the same in any language."""
    rng = seeded(3)
    seeds = range(FIRST_SEED, FIRST_SEED + count)
    return [make_wish(sample_scene(seed), language, rng) for seed in seeds]


def make_wish(scene: Scene, language: str, rng: random.Random) -> Wish:
    """Write a complete caption and note what it asks for."""
    facts = choose_facts(scene, language, rng)
    while not is_telling(scene, facts):
        facts = choose_facts(scene, language, rng)
    return Wish(
        scene=scene,
        language=language,
        caption=join_facts(facts, language, rng),
        asked=frozenset({*list_moods(scene), *list_objects(facts, language)}),
    )


def list_moods(scene: Scene) -> list[str]:
    """Return what a complete caption of this scene always says."""
    names = ["kind", "time"]
    if scene.weather != "clear":
        names.append("weather")
    if scene.style == "ink":
        names.append("style")
    if scene.season in {"autumn", "winter"} and {"trees", "pines"} & scene.objects:
        names.append("season")
    return names


def list_objects(facts: Facts, language: str) -> list[str]:
    """Return the objects that a caption names."""
    named = [
        SPECIAL_NAMES.get(name, name)
        for name, words in OBJECT_WORDS[language].items()
        if set(words) & set(facts.objects)
    ]
    return [name for name in OBJECTS if name in named]
