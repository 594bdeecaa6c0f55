"""Tokenizers with a vocabulary of single bytes or characters, made without any file."""

import io
from pathlib import Path
from typing import Any, TypeAlias

import sentencepiece
from diffusers.pipelines.kolors.tokenizer import ChatGLMTokenizer
from tokenizers.pre_tokenizers import ByteLevel
from transformers import BertTokenizer, CLIPTokenizer, Qwen2Tokenizer, T5Tokenizer

Tokenizer: TypeAlias = Any

CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789,.=雪山日出夜晚正午湖海"
BYTES = sorted(ByteLevel.alphabet())
CHAT_TEMPLATE = "{% for message in messages %}<|im_start|>{{ message['content'] }}{% endfor %}"


def clip_tokenizer() -> Tokenizer:
    """Return a tokenizer of bytes, 77 tokens at most."""
    names = [*BYTES, *(f"{byte}</w>" for byte in BYTES), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab=_numbered(names), merges=[], model_max_length=77)


def t5_tokenizer() -> Tokenizer:
    """Return a tokenizer of characters; what it does not know is one token."""
    scored = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -9.0), ("▁", -1.0)]
    scored += [(character, -2.0) for character in CHARACTERS]
    return T5Tokenizer(vocab=scored, extra_ids=0)


def bert_tokenizer() -> Tokenizer:
    """Return a tokenizer of characters, at the beginning of a word and inside it."""
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS]
    names += [f"##{character}" for character in CHARACTERS]
    return BertTokenizer(vocab=_numbered(names), model_max_length=77)


def qwen_tokenizer() -> Tokenizer:
    """Return a tokenizer of bytes that knows how a chat is written."""
    names = [*BYTES, "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Qwen2Tokenizer(vocab=_numbered(names), merges=[])
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def chatglm_tokenizer(folder: Path) -> Tokenizer:
    """Return a tokenizer over a sentencepiece model that is trained here and now."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*CHARACTERS] * 4),
        model_writer=model,
        model_type="char",
        vocab_size=len(CHARACTERS) + 4,
        character_coverage=1.0,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    path = folder / "tokenizer.model"
    path.write_bytes(model.getvalue())
    return ChatGLMTokenizer(vocab_file=str(path))


def _numbered(names: list[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}
