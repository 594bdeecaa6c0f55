"""Tokenizer: Chinese by character, English by word, the same after a round trip to disk."""

from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="the tokenizer needs the engine extra")

from training.tokenizer import MAX_TOKENS, UNKNOWN, build_tokenizer, list_phrases


def test_every_caption_phrase_is_in_the_vocabulary() -> None:
    tokenizer = build_tokenizer()

    unknown = [phrase for phrase in list_phrases() if UNKNOWN in tokenizer.tokenize(phrase)]

    assert unknown == []


def test_one_chinese_character_is_one_token() -> None:
    assert build_tokenizer().tokenize("雪山下的湖") == list("雪山下的湖")


def test_an_unknown_word_is_one_token() -> None:
    assert build_tokenizer().tokenize("a zyzzyva") == ["a", UNKNOWN]


def test_a_saved_tokenizer_splits_the_same(tmp_path: Path) -> None:
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    tokenizer = build_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    loaded = PreTrainedTokenizerFast.from_pretrained(tmp_path)

    for text in ("一个美丽的风景", "Sunset over the SEA, a sailboat", "山 sunset 湖"):
        assert loaded(text).input_ids == tokenizer(text).input_ids
        assert loaded.decode(loaded(text).input_ids, skip_special_tokens=True)
    assert loaded.model_max_length == MAX_TOKENS
