"""Tokenizer: WordPiece over the caption words and every Chinese character they use.

One Chinese character is one token in every transformers release; an unknown word is one `[UNK]`.
`python -m training.tokenizer` prints the vocabulary and a few splits.
"""

import re
from collections.abc import Iterator

import typer
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece
from transformers import PreTrainedTokenizerFast

from training import words

PAD, UNKNOWN, START, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
MAX_TOKENS = 40
PUNCTUATION = ",.!?;:-'\"，。！？；：、（）()"
# Common words of prompts that carry no picture; each keeps its own token instead of [UNK].
GLUE_ENGLISH = """
a an the of in on at and with by under over near beside behind below above is are to from for
picture image painting photo photograph illustration drawing scene view landscape style very
big small large little tall old new wild quiet lonely one two three some many no not without
sky water light dark warm cold cool color colors tree flower flowers river sand snow rain blue
sailing sunny cloudy stormy summer horizon reflection wave island lighthouse bridge road path
temple tower people person man woman blurry ugly low bad quality noise text watermark
"""
GLUE_CHINESE = (
    "一二三四五六七八九十个只条座张幅片群艘棵朵的地得和与在有是上下中里外前后左右边旁"
    "远近大小高低多少美丽漂亮好看画图照片风光景色天空水木花草叶冷暖明暗黑白红橙黄绿青"
    "蓝紫粉灰金银古老新静安宁孤独温柔浪漫壮观蓝天白云没不无人像细节清晰模糊丑陋质量文"
    "字印桥路塔寺庙灯塔岛屿倒影地平线晚霞彩虹雷电风暴阴晴"
)


def list_phrases() -> Iterator[str]:
    """Yield every phrase a caption can contain."""
    tables = (
        words.KIND_WORDS,
        words.TIME_WORDS,
        words.TONE_WORDS,
        words.SEASON_WORDS,
        words.WEATHER_WORDS,
        words.STYLE_WORDS,
        words.OBJECT_WORDS,
    )
    for table in tables:
        for rows in table.values():
            for phrases in rows.values():
                yield from phrases
    for lists in (words.STARRY_WORDS, words.GENERIC, words.PRAISE):
        for phrases in lists.values():
            yield from phrases


def list_fillers() -> tuple[list[str], list[str]]:
    """Return the English words and Chinese characters that captions never use by themselves."""
    said = " ".join(list_phrases()).lower()
    english = sorted(set(GLUE_ENGLISH.split()) - set(re.findall(r"[a-z0-9]+", said)))
    chinese = sorted(set(GLUE_CHINESE) - set(said))
    return [*english, "zyzzyva"], [*chinese, "\u9f98"]  # the last of each is unknown


def build_vocabulary() -> dict[str, int]:
    """Return token to id; the order is fixed by the sorted words."""
    text = " ".join((*list_phrases(), GLUE_ENGLISH)).lower()
    english = sorted(set(re.findall(r"[a-z0-9]+", text)))
    chinese = sorted(set(re.findall(r"[\u4e00-\u9fff]", text + GLUE_CHINESE)))
    marks = list(PUNCTUATION)
    tokens = [PAD, UNKNOWN, START, END, *marks, *english, *chinese, "##s", "##es", "##y"]
    return {token: index for index, token in enumerate(dict.fromkeys(tokens))}


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Build the tokenizer that is saved beside the model."""
    vocabulary = build_vocabulary()
    backend = Tokenizer(WordPiece(vocabulary, unk_token=UNKNOWN, max_input_chars_per_word=32))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True, handle_chinese_chars=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    backend.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}",
        special_tokens=[(START, vocabulary[START]), (END, vocabulary[END])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=MAX_TOKENS,
        pad_token=PAD,
        unk_token=UNKNOWN,
        bos_token=START,
        eos_token=END,
        cls_token=START,
        sep_token=END,
    )


def main() -> None:
    """Print the size of the vocabulary and a few splits."""
    tokenizer = build_tokenizer()
    typer.echo(f"{len(tokenizer)} tokens, at most {MAX_TOKENS} per prompt")
    for text in ("雪山下的湖，日落", "a starry night over the sea", "cyberpunk 赛博朋克"):
        typer.echo(" ".join(tokenizer.tokenize(text)))


if __name__ == "__main__":
    typer.run(main)
