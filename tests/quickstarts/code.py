"""The code of documents: fenced blocks that a reader would copy and run."""

import re
from dataclasses import dataclass

from tests.house.project import read

RUNNABLE = ("bash", "python", "javascript")
NOT_RUN = "<!-- not run"

_BLOCK = re.compile(
    r"^(?P<mark>[^\n]*)\n+```(?P<language>\w+)\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One piece of code; `name` tells where it stands."""

    name: str
    language: str
    code: str


def list_blocks(document: str, *, section: str | None = None) -> list[Block]:
    """Return a document's runnable blocks in order.

    What stands below a comment that begins with `not run` is left out: code for another service,
    or a command for another machine.

    Args:
        document: Path inside the project.
        section: Only below this heading.
    """
    text = read(document)
    if section is not None:
        text = text.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    found = [
        (match["language"], match["code"])
        for match in _BLOCK.finditer(text)
        if match["language"] in RUNNABLE and not match["mark"].startswith(NOT_RUN)
    ]
    return [
        Block(name=f"{document}#{number}-{language}", language=language, code=code)
        for number, (language, code) in enumerate(found, start=1)
    ]
