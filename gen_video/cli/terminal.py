"""What the command line prints: lines in both languages, tables, JSON.

Results go to standard output, messages about them to standard error, so that output can be piped.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

Cell = str | int | float | bool | None | datetime | Path
WIDE_FROM = 0x1100
CONTROLS = {
    code: "\ufffd" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"
}
"""What a terminal would obey: texts of a service, or of its users, must not steer it."""


def say(text: str = "") -> None:
    """Print one line of result."""
    sys.stdout.write(f"{plain(text)}\n")
    sys.stdout.flush()


def plain(text: str) -> str:
    """Return a text without control characters; lines and tabs stay."""
    return text.translate(CONTROLS)


def note(en: str, zh: str) -> None:
    """Print one line for people, in both languages, beside the result."""
    sys.stderr.write(f"{plain(en)} / {plain(zh)}\n")
    sys.stderr.flush()


def print_json(value: object) -> None:
    """Print a value as JSON for programs."""
    say(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_rows(rows: Sequence[Mapping[str, Cell]], *, is_json: bool) -> None:
    """Print rows as a table for people, or as JSON."""
    if is_json:
        print_json([dict(row) for row in rows])
        return
    if not rows:
        note("There is nothing to list.", "没有可显示的内容。")
        return
    table = [list(rows[0]), *([_shown(cell) for cell in row.values()] for row in rows)]
    widths = [max(_columns(line[index]) for line in table) for index in range(len(table[0]))]
    for line in table:
        padded = (
            cell + " " * (width - _columns(cell)) for cell, width in zip(line, widths, strict=True)
        )
        say("  ".join(padded).rstrip())


def _shown(cell: Cell) -> str:
    match cell:
        case None:
            return "-"
        case bool():
            return "yes" if cell else "no"
        case datetime():
            return cell.isoformat(sep=" ", timespec="seconds")
        case _:
            return str(cell)


def _columns(text: str) -> int:
    """Return how many columns a terminal needs; Chinese characters take two."""
    return sum(2 if ord(character) >= WIDE_FROM else 1 for character in text)
