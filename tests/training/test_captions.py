"""Captions: true words in two languages."""

import re

import pytest

from training.captions import EMPTY_SHARE, describe, write_caption
from training.words import KIND_WORDS, TIME_WORDS
from training.world import KINDS, TIMES, sample_scene, seeded

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def test_captions_come_in_both_languages_and_sometimes_empty() -> None:
    rng = seeded(0)
    captions = [write_caption(sample_scene(seed), rng) for seed in range(2000)]

    empty = sum(caption == "" for caption in captions) / len(captions)
    chinese = sum(bool(CHINESE.search(caption)) for caption in captions) / len(captions)

    assert empty == pytest.approx(EMPTY_SHARE, abs=0.03)
    assert chinese == pytest.approx(0.45, abs=0.05)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_caption_never_mixes_languages(language: str) -> None:
    rng = seeded(1)
    for seed in range(300):
        caption = describe(sample_scene(seed), language, rng)

        has_chinese = bool(CHINESE.search(caption))
        has_english = bool(re.search(r"[a-z]{2,}", caption))
        assert not (has_english if language == "zh" else has_chinese), caption


def test_every_kind_and_time_has_words_in_both_languages() -> None:
    for language in ("en", "zh"):
        assert set(KIND_WORDS[language]) == set(KINDS)
        assert set(TIME_WORDS[language]) == set(TIMES)


@pytest.mark.parametrize(
    "word",
    [
        "风景",
        "山水",
        "夕阳",
        "日落",
        "星空",
        "夜晚",
        "水墨",
        "海边",
        "大海",
        "森林",
        "沙漠",
        "城市",
        "雪山",
        "湖",
        "樱花",
        "秋天",
    ],
)
def test_words_that_people_type_are_taught(word: str) -> None:
    rng = seeded(2)

    captions = (write_caption(sample_scene(seed), rng) for seed in range(6000))

    assert any(word in caption for caption in captions)
