"""Languages of the console: which one a visitor reads, and the words.

The words in code and templates are English and are the keys; `locale/zh_CN/LC_MESSAGES/*.po` hold
the Chinese, one file per part of the console. They are compiled in memory when the process starts.
"""

from collections.abc import Iterator
from functools import cache
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale, negotiate_locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from fastapi import Request

from gen_video.console.cookies import LANGUAGE
from gen_video.errors import Language

FOLDER = Path(__file__).with_name("locale") / "zh_CN" / "LC_MESSAGES"
LOCALES: dict[Language, Locale] = {"en": Locale("en"), "zh": Locale("zh", script="Hans")}
TAGS: dict[Language, str] = {"en": "en", "zh": "zh-CN"}
"""The languages as HTML names them."""
MAX_RANGES = 20


def language_of(request: Request) -> Language:
    """Return what a visitor reads: as chosen, else as the browser prefers, else English."""
    chosen = request.cookies.get(LANGUAGE)
    if chosen == "zh":
        return "zh"
    if chosen == "en":
        return "en"
    return preferred(request.headers.get("accept-language", ""))


def preferred(accept_language: str) -> Language:
    """Return the better of our languages for an Accept-Language header (RFC 9110, 12.5.4)."""
    wanted = [tag for _, tag in sorted(_ranges(accept_language), key=lambda pair: -pair[0])]
    found = negotiate_locale(wanted, ["zh", "en"], sep="-")
    return "zh" if found == "zh" else "en"


def _ranges(accept_language: str) -> Iterator[tuple[float, str]]:
    for part in accept_language.split(",")[:MAX_RANGES]:
        tag, _, parameters = part.strip().partition(";")
        try:
            weight = float(parameters.partition("=")[2]) if parameters.strip() else 1.0
        except ValueError:
            continue
        if weight > 0 and tag:
            yield weight, tag.strip().lower()


@cache
def load_translations(language: Language) -> NullTranslations:
    """Return the words of a language; English is what the code says."""
    if language == "en":
        return NullTranslations()
    buffer = BytesIO()
    write_mo(buffer, read_catalogue())
    buffer.seek(0)
    return Translations(buffer)


def read_catalogue() -> Catalog:
    """Return every Chinese word of the console."""
    whole = Catalog(locale="zh_Hans_CN")
    for file in sorted(FOLDER.glob("*.po")):
        with file.open("rb") as source:
            for message in read_po(source, locale="zh_Hans_CN"):
                if message.id:
                    whole[message.id] = message
    return whole
