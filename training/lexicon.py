"""Lexicon: which words of a prompt the model can draw, for the service's hint to its users.

`words` stand for something in the picture, `neutral` ones for nothing; every other word names what
the model has never seen. Chinese has no spaces: its phrases are listed longest first, and besides
them those characters that also mean a landscape on their own.
"""

import json
import re
from pathlib import Path

from training.tokenizer import list_phrases

FILE_NAME = "world.json"
NEUTRAL_ENGLISH = """
a an the of in on at and or with by under over near beside behind below above is are to from for as
into through along around across its very big small large little tall old new wild quiet lonely one
two three four five some many few no not without please draw paint make show me i want picture image
painting photo photograph illustration drawing scene view style art wallpaper background light dark
warm cold cool colour color colours colors colorful colourful low bad good best nice quality noise
text watermark blurry ugly sharp detailed simple minimal minimalist
"""
NEUTRAL_CHINESE = (
    "一二三四五六七八九十个只条座张幅片群艘棵朵的地得和与在有是上下中里外前后左右边旁"
    "远近大小高低多少请画给我想要来看图照片像细节清晰模糊丑陋质量没不无文字印"
)
# They are part of some phrase ("人家" is a house) and mean something else alone or in other words.
NOT_ALONE = (
    "人家子新自卑乡国作品哈唯喜园境壁壮媚季安密尔师平幻庄意戈房扁报拂拉掌插摩撒斯正气牙玫瑰"
    "盖矢破积空简精线罗脉艳覆观道都间余傍仙万万倒出剪午开彩影朗杰极格梦漂简薄西镇"
)
CHINESE = re.compile(r"[\u4e00-\u9fff]+")


def build_lexicon() -> dict[str, list[str]]:
    """Return what has a picture (words, phrases, characters) and what is neutral, sorted."""
    said = [phrase.lower() for phrase in list_phrases()]
    neutral = {*NEUTRAL_ENGLISH.split(), *NEUTRAL_CHINESE}
    words = set(re.findall(r"[a-z0-9]+", " ".join(said))) - neutral
    phrases = {part for phrase in said for part in CHINESE.findall(phrase)} - neutral
    return {
        "words": sorted(words),
        "phrases": sorted(phrases, key=lambda phrase: (-len(phrase), phrase)),
        "characters": sorted(set("".join(phrases)) - neutral - set(NOT_ALONE)),
        "neutral": sorted(neutral),
    }


def write_lexicon(folder: Path) -> None:
    """Write the lexicon beside the weights."""
    text = json.dumps(build_lexicon(), ensure_ascii=False, separators=(",", ":"))
    (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")
