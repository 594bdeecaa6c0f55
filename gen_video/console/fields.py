"""Fields of the playground's forms: text becomes numbers, or it is said which field is wrong.

Empty means left out. Ranges are the model's, and the generation slice checks them.
"""

import math
from collections.abc import Mapping, Sequence

from gen_video.errors import FieldProblem, InvalidRequestError

HUGE = 10**15
MAX_COUNT = 1_000_000_000


class FormFields:
    """Reads the text fields of one form and collects what is wrong with them.

    Args:
        values: Every text of every field, in order.
    """

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self._values = values
        self._problems: list[FieldProblem] = []

    def text(self, name: str) -> str | None:
        """Return a text, None when left out."""
        return self._last(name) or None

    def texts(self, name: str) -> Sequence[str]:
        """Return the texts of a field that there are several of, in order."""
        return self._values.get(name, ())

    def whole(self, name: str) -> int | None:
        """Return a whole number, None when left out or wrong."""
        value = self.number(name)
        if value is None:
            return None
        if value != int(value):
            self._refuse(f"/{name}")
            return None
        return int(value)

    def count(self, name: str, *, least: int = 0, most: int = MAX_COUNT) -> int | None:
        """Return a whole number in a range, None when left out or wrong."""
        value = self.whole(name)
        if value is None or least <= value <= most:
            return value
        self._problems.append(
            FieldProblem(
                pointer=f"/{name}",
                code="out_of_range",
                en=f"{name} must be a whole number from {least} to {most}",
                zh=f"{name} 应为 {least} 至 {most} 的整数",
            )
        )
        return None

    def number(self, name: str) -> float | None:
        """Return a number, None when left out or wrong."""
        return self.parse(self._last(name), pointer=f"/{name}")

    def parse(self, text: str, *, pointer: str) -> float | None:
        """Return the number that a text is, None when it is empty or none."""
        if not text.strip():
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) <= HUGE:
            self._refuse(pointer)
            return None
        return value

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """Return one of some words, the first one when left out or wrong."""
        given = self._last(name) or choices[0]
        if given in choices:
            return given
        self._problems.append(
            FieldProblem(
                pointer=f"/{name}",
                code="unknown_value",
                en=f"{name} must be one of {', '.join(choices)}",
                zh=f"{name} 只能是 {'、'.join(choices)}",
            )
        )
        return choices[0]

    def check(self) -> None:
        """Go on if everything could be read.

        Raises:
            InvalidRequestError: Names every field that is wrong.
        """
        if self._problems:
            raise InvalidRequestError(*self._problems)

    def _last(self, name: str) -> str:
        return next(reversed(self._values.get(name, ())), "")

    def _refuse(self, pointer: str) -> None:
        name = pointer.lstrip("/")
        self._problems.append(
            FieldProblem(
                pointer=pointer,
                code="not_a_number",
                en=f"{name} must be a number",
                zh=f"{name} 应为数字",
            )
        )
