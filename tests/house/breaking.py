"""What a new OpenAPI document breaks for clients that were written for an older one.

A client must still be able to send all that it could, and must still get what it reads. What
it sends may only be taken more widely; what it gets may only be more, or narrower. New fields,
addresses and values of answers break nobody: docs/api/versioning.md says that they may come.

oasdiff knows more, but is a program to be downloaded; of what the package indexes have, nothing
is both maintained and fit for OpenAPI 3.1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.house.openapi import follow

Part = dict[str, Any]
FIRST_ERROR = 300
LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
WORDS = ("pattern", "format", "contentMediaType")


def find_breaks(old: Part, new: Part) -> Iterator[str]:
    """Yield what breaks, each with its place."""
    for path, operations in old["paths"].items():
        if path not in new["paths"]:
            yield f"{path}: removed"
            continue
        for method, operation in operations.items():
            name = f"{method.upper()} {path}"
            if method not in new["paths"][path]:
                yield f"{name}: removed"
                continue
            pair = _Operations(old, new, name, operation, new["paths"][path][method])
            yield from pair.find_breaks()


@dataclass(frozen=True, slots=True)
class _Operations:
    """One operation, as it was and as it is."""

    old_document: Part
    new_document: Part
    name: str
    old: Part
    new: Part

    def find_breaks(self) -> Iterator[str]:
        if self.old["operationId"] != self.new["operationId"]:
            yield f"{self.name}: its operationId changed"
        if self.new.get("security") and not _all_open(self.old) <= _all_open(self.new):
            yield f"{self.name}: needs a key now"
        yield from self._compare_parameters()
        yield from self._compare_bodies()
        yield from self._compare_answers()

    def _compare_parameters(self) -> Iterator[str]:
        old, new = (
            {(found["in"], found["name"]): found for found in map(partial(follow, document), given)}
            for document, given in (
                (self.old_document, self.old.get("parameters", [])),
                (self.new_document, self.new.get("parameters", [])),
            )
        )
        for key, parameter in new.items():
            is_required = parameter.get("required", False)
            if is_required and not old.get(key, {}).get("required", False):
                yield f"{self.name} {key[1]}: required now"
        for key, parameter in old.items():
            where = f"{self.name} {key[1]}"
            if key not in new:
                yield f"{where}: removed"
            else:
                yield from self._sent(parameter["schema"], new[key]["schema"], where)

    def _compare_bodies(self) -> Iterator[str]:
        old = follow(self.old_document, self.old.get("requestBody", {}))
        new = follow(self.new_document, self.new.get("requestBody", {}))
        if new.get("required", False) and not old.get("required", False):
            yield f"{self.name} body: required now"
        for kind, content in old.get("content", {}).items():
            where = f"{self.name} {kind}"
            if kind not in new.get("content", {}):
                yield f"{where}: not taken any more"
            else:
                yield from self._sent(content["schema"], new["content"][kind]["schema"], where)

    def _compare_answers(self) -> Iterator[str]:
        for status, given in self.old["responses"].items():
            where = f"{self.name} {status}"
            if int(status) >= FIRST_ERROR:
                continue
            if status not in self.new["responses"]:
                yield f"{where}: removed"
                continue
            old = follow(self.old_document, given)
            new = follow(self.new_document, self.new["responses"][status])
            yield from self._compare_answer(old, new, where)

    def _compare_answer(self, old: Part, new: Part, where: str) -> Iterator[str]:
        for header in old.get("headers", {}):
            if header not in new.get("headers", {}):
                yield f"{where} {header}: removed"
        for kind, content in old.get("content", {}).items():
            if kind not in new.get("content", {}):
                yield f"{where} {kind}: removed"
            elif "schema" in content:
                yield from self._got(
                    content["schema"], new["content"][kind]["schema"], f"{where} {kind}"
                )

    def _sent(self, old: Part, new: Part, where: str) -> Iterator[str]:
        fit = _Fit(self.old_document, self.new_document, is_answer=False)
        yield from fit.find_misfits(old, new, where)

    def _got(self, old: Part, new: Part, where: str) -> Iterator[str]:
        fit = _Fit(self.new_document, self.old_document, is_answer=True)
        yield from fit.find_misfits(new, old, where)


class _Fit:
    """Whether all that one schema allows is allowed by another.

    Args:
        inner_document: Of the schema that should fit.
        outer_document: Of the one into which it should fit.
        is_answer: Whether it is about what clients get, and not about what they send.
    """

    def __init__(self, inner_document: Part, outer_document: Part, *, is_answer: bool) -> None:
        self._inner = partial(follow, inner_document)
        self._outer = partial(follow, outer_document)
        self._is_answer = is_answer
        self._visited: set[tuple[str, str]] = set()

    def find_misfits(self, inner: Part, outer: Part, where: str) -> Iterator[str]:
        pair = (inner.get("$ref", ""), outer.get("$ref", ""))
        if all(pair) and pair in self._visited:
            return
        self._visited.add(pair)
        choices = [*_choices(outer, self._outer)]
        for choice in _choices(inner, self._inner):
            # Of several choices the one of the same type is the one that was meant.
            kin = [other for other in choices if _is_kin(choice, other)] or choices
            yield from min(([*self._compare(choice, other, where)] for other in kin), key=len)

    def _compare(self, inner: Part, outer: Part, where: str) -> Iterator[str]:
        kind, wanted = inner.get("type"), outer.get("type")
        if not _is_kin(inner, outer):
            old, new = (wanted, kind) if self._is_answer else (kind, wanted)
            yield f"{where}: was {old}, is {new}"
            return
        yield from self._compare_values(inner, outer, where)
        yield from self._compare_bounds(inner, outer, where)
        yield from self._compare_fields(inner, outer, where)
        if "items" in inner and "items" in outer:
            yield from self.find_misfits(inner["items"], outer["items"], f"{where}[]")
        others = inner.get("additionalProperties"), outer.get("additionalProperties")
        if isinstance(others[0], dict) and isinstance(others[1], dict):
            yield from self.find_misfits(others[0], others[1], f"{where}/*")

    def _compare_values(self, inner: Part, outer: Part, where: str) -> Iterator[str]:
        mine, theirs = _values(inner), _values(outer)
        if theirs is None or (self._is_answer and mine is not None):
            return
        if mine is None:
            yield f"{where}: any value, where some were named"
            return
        for value in sorted(map(str, mine - theirs)):
            yield f"{where}: {value} is not taken any more"

    def _compare_bounds(self, inner: Part, outer: Part, where: str) -> Iterator[str]:
        for names, sign in ((LOWER_BOUNDS, 1), (UPPER_BOUNDS, -1)):
            for name in names:
                if name in outer and (name not in inner or sign * inner[name] < sign * outer[name]):
                    yield f"{where}: {name} {self._change}"
        for name in WORDS:
            if name in outer and inner.get(name) != outer[name]:
                yield f"{where}: {name} {self._change}"

    def _compare_fields(self, inner: Part, outer: Part, where: str) -> Iterator[str]:
        mine, theirs = inner.get("properties", {}), outer.get("properties", {})
        for name in outer.get("required", ()):
            if name in mine and name not in inner.get("required", ()):
                yield f"{where}/{name}: {self._now_required}"
            if name not in mine and not self._is_answer:
                yield f"{where}/{name}: required now"
        for name, entry in mine.items():
            if name in theirs:
                yield from self.find_misfits(entry, theirs[name], f"{where}/{name}")
            elif not self._is_answer and outer.get("additionalProperties") is False:
                yield f"{where}/{name}: not taken any more"
        if self._is_answer:
            yield from (f"{where}/{name}: removed" for name in theirs if name not in mine)

    @property
    def _change(self) -> str:
        return "is wider now" if self._is_answer else "is narrower now"

    @property
    def _now_required(self) -> str:
        return "not always there any more" if self._is_answer else "required now"


def _is_kin(inner: Part, outer: Part) -> bool:
    kind, wanted = inner.get("type"), outer.get("type")
    return wanted is None or kind == wanted or (kind, wanted) == ("integer", "number")


def _choices(schema: Part, resolve: partial[Part]) -> Iterator[Part]:
    """Yield the alternatives of a schema, each of one type."""
    schema = resolve(schema)
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        for option in options:
            yield from _choices(option, resolve)
    elif isinstance(schema.get("type"), list):
        for kind in schema["type"]:
            yield schema | {"type": kind}
    else:
        yield schema


def _values(schema: Part) -> set[object] | None:
    if "const" in schema:
        return {schema["const"]}
    return set(schema["enum"]) if "enum" in schema else None


def _all_open(operation: Part) -> set[bool]:
    """Return whether an operation can be called without a key, as a set to compare."""
    security = operation.get("security", [])
    return {True} if not security or {} in security else set()
