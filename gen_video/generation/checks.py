"""Checks that every kind of request shares: texts, sizes, metadata. Pure."""

import math
import unicodedata
from collections.abc import Mapping
from typing import TypeVar

from gen_video.engines.catalogue import ModelSpec
from gen_video.errors import FieldProblem

MAX_SEED = 2**32 - 1
MAX_PREVIEWS = 10
MAX_METADATA_ENTRIES = 16
MAX_METADATA_CHARACTERS = 512
ALLOWED_CONTROLS = frozenset("\n\r\t")

Value = TypeVar("Value")


def given_or(given: Value | None, default: Value) -> Value:
    """Return what was given, else the default."""
    return default if given is None else given


def problem(pointer: str, code: str, *, en: str, zh: str) -> FieldProblem:
    """Return what is wrong with one field."""
    return FieldProblem(pointer=pointer, code=code, en=en, zh=zh)


def text_problems(pointer: str, text: str, *, limit: int) -> list[FieldProblem]:
    """Return what is wrong with a text: its length, its characters."""
    name = pointer.lstrip("/")
    if len(text) > limit:
        return [
            problem(
                pointer,
                "text_too_long",
                en=f"{name} has {len(text)} characters, at most {limit} are allowed",
                zh=f"{name} 共 {len(text)} 个字符，最多允许 {limit} 个",
            )
        ]
    bad = find_forbidden_character(text)
    if bad is not None:
        return [
            problem(
                pointer,
                "forbidden_character",
                en=f"{name} contains the control character U+{ord(bad):04X}; remove it",
                zh=f"{name} 含有控制字符 U+{ord(bad):04X}，请删除",
            )
        ]
    return []


def has_visible_text(text: str) -> bool:
    """Tell whether a text has any character that is not blank, a control or invisible."""
    return any(unicodedata.category(character)[0] not in "ZC" for character in text)


def find_forbidden_character(text: str) -> str | None:
    """Return the first control character or lone surrogate, None for clean text."""
    for character in text:
        category = unicodedata.category(character)
        if category == "Cs" or (category == "Cc" and character not in ALLOWED_CONTROLS):
            return character
    return None


def size_problems(width: int, height: int, spec: ModelSpec) -> list[FieldProblem]:
    """Return what is wrong with a size, for this model."""
    limits = spec.limits
    problems = [
        *_one_side("width", width, limits.min_width, limits.max_width, spec),
        *_one_side("height", height, limits.min_height, limits.max_height, spec),
    ]
    pixels = width * height
    if not problems and pixels > limits.max_pixels:
        problems.append(
            problem(
                "/width",
                "too_many_pixels",
                en=f"width x height is {pixels}, {spec.id} allows {limits.max_pixels}",
                zh=f"宽×高为 {pixels}，{spec.id} 最多允许 {limits.max_pixels}",
            )
        )
    return problems


def _one_side(name: str, value: int, low: int, high: int, spec: ModelSpec) -> list[FieldProblem]:
    if not low <= value <= high:
        return [outside(name, value, low, high)]
    multiple = spec.limits.multiple_of
    if value % multiple:
        nearest = nearest_multiple(value, multiple, low=low, high=high)
        return [
            problem(
                f"/{name}",
                "not_a_multiple",
                en=f"{name} must be a multiple of {multiple}; the nearest good one is {nearest}",
                zh=f"{name} 必须是 {multiple} 的倍数，最接近的有效值是 {nearest}",
            )
        ]
    return []


def nearest_multiple(value: int, multiple: int, *, low: int, high: int) -> int:
    """Return the multiple nearest to a value that lies within the limits."""
    lowest = math.ceil(low / multiple) * multiple
    highest = high // multiple * multiple
    return min(max(round(value / multiple) * multiple, lowest), highest)


def outside(name: str, value: float, low: float, high: float) -> FieldProblem:
    """Say that a number lies outside its range."""
    return problem(
        f"/{name}",
        "out_of_range",
        en=f"{name} is {value}, it must be from {low} to {high}",
        zh=f"{name} 为 {value}，允许范围是 {low} 到 {high}",
    )


def metadata_problems(entries: Mapping[str, str]) -> list[FieldProblem]:
    """Return what is wrong with a client's own notes."""
    is_small = len(entries) <= MAX_METADATA_ENTRIES and all(
        len(text) <= MAX_METADATA_CHARACTERS for pair in entries.items() for text in pair
    )
    is_clean = not any(find_forbidden_character(text) for pair in entries.items() for text in pair)
    if is_small and is_clean:
        return []
    return [
        problem(
            "/metadata",
            "metadata_invalid",
            en=f"metadata takes up to {MAX_METADATA_ENTRIES} short texts, no control characters",
            zh=f"metadata 最多 {MAX_METADATA_ENTRIES} 项短文本，且不能含控制字符",
        )
    ]


def outside_problems(
    *checks: tuple[str, float, float, float],
) -> list[FieldProblem]:
    """Return the numbers that lie outside; each check is a field, its value and its range."""
    return [
        outside(name, value, low, high)
        for name, value, low, high in checks
        if not low <= value <= high
    ]
