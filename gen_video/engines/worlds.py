"""Worlds: the words that a small model can draw, to tell which prompts ask for something else.

Pure text, no tokenizer: the web process uses it.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

_PART = re.compile(r"[\u4e00-\u9fff]+|[^\W_\u4e00-\u9fff]+")
_ENDINGS = ("'s", "es", "s", "y", "ed", "ing")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a model's prompts may speak of.

    Attributes:
        words: English words that it can draw.
        phrases: Chinese ones, longest first.
        characters: Chinese characters that mean something of this world by themselves.
        neutral: Words and characters that name nothing.
    """

    words: frozenset[str]
    phrases: tuple[str, ...]
    characters: frozenset[str]
    neutral: frozenset[str]

    def is_far(self, prompt: str) -> bool:
        """Tell whether most of what a prompt names is not of this world.

        A prompt that names nothing, or half of it known, is not far. Chinese counts by character,
        every other language by word.
        """
        known = unknown = 0
        for part in _PART.findall(prompt.lower()):
            if "\u4e00" <= part[0] <= "\u9fff":
                found, missing = self._count_chinese(part)
            else:
                found, missing = self._count_word(part)
            known, unknown = known + found, unknown + missing
        return unknown > known

    def _count_word(self, word: str) -> tuple[int, int]:
        stems = {word, *(word.removesuffix(ending) for ending in _ENDINGS)}
        if stems & self.words:
            return 1, 0
        return 0, int(not (word.isdecimal() or stems & self.neutral))

    def _count_chinese(self, text: str) -> tuple[int, int]:
        known = 0
        for phrase in self.phrases:
            known += text.count(phrase) * len(phrase)
            text = text.replace(phrase, "")
        rest = [character for character in text if character not in self.neutral]
        alone = sum(character in self.characters for character in rest)
        return known + alone, len(rest) - alone


def load_world(path: Path) -> World:
    """Read a world from the JSON file beside a model's weights.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not what `training.lexicon` writes.
    """
    raw = json.loads(path.read_text(encoding="utf-8"))
    try:
        return World(
            words=frozenset(raw["words"]),
            phrases=tuple(raw["phrases"]),
            characters=frozenset(raw["characters"]),
            neutral=frozenset(raw["neutral"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path.name} is no list of words") from error
