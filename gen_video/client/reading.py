"""From JSON to the records: what is unknown is passed over, what is missing has its default.

So a client of today reads the answers of a later service; everything that it passed over is still
in `raw`.
"""

import types
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from gen_video.client.errors import UnexpectedAnswerError
from gen_video.client.records import Record

R = TypeVar("R", bound=Record)
RAW = "raw"
_known_hints: dict[type[Record], dict[str, Any]] = {}


class _Unfit(Exception):  # noqa: N818 - a signal of this file
    """A value that a field cannot hold."""


def read_record(kind: type[R], data: object) -> R:
    """Return a record made of a JSON object.

    Raises:
        UnexpectedAnswerError: It is no object, or a field without a default is not there.
    """
    if not isinstance(data, Mapping):
        raise UnexpectedAnswerError(f"a JSON object was expected for {kind.__name__}")
    values: dict[str, Any] = {RAW: data}
    for name, hint in _hints(kind).items():
        if name in data and name != RAW:
            try:
                values[name] = _convert(hint, data[name])
            except _Unfit:
                continue
    try:
        return kind(**values)
    except TypeError as error:
        raise UnexpectedAnswerError(f"the answer is no {kind.__name__}: {error}") from error


def _hints(kind: type[Record]) -> dict[str, Any]:
    if kind not in _known_hints:
        found = get_type_hints(kind)
        _known_hints[kind] = {field.name: found[field.name] for field in fields(kind)}
    return _known_hints[kind]


def _convert(hint: Any, value: Any) -> Any:  # noqa: ANN401 - types of any kind
    origin = get_origin(hint)
    if origin in {Union, types.UnionType}:
        return _convert_choice(get_args(hint), value)
    if origin is tuple:
        return _convert_list(get_args(hint)[0], value)
    if origin is not None:
        return _require(value, origin)
    if isinstance(hint, type) and issubclass(hint, Record):
        return read_record(hint, _require(value, Mapping))
    return _convert_plain(hint, value)


def _convert_plain(hint: Any, value: Any) -> Any:  # noqa: ANN401 - as above
    if hint is datetime:
        return _read_time(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return _require(value, hint)


def _convert_choice(choices: tuple[Any, ...], value: Any) -> Any:  # noqa: ANN401 - as above
    if value is None and type(None) in choices:
        return None
    (inner,) = (choice for choice in choices if choice is not type(None))
    return _convert(inner, value)


def _convert_list(hint: Any, value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - as above
    converted = []
    for item in _require(value, list):
        try:
            converted.append(_convert(hint, item))
        except (_Unfit, UnexpectedAnswerError):
            continue
    return tuple(converted)


def _require(value: Any, kind: Any) -> Any:  # noqa: ANN401 - as above
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise _Unfit
    return value


def _read_time(value: object) -> datetime:
    if not isinstance(value, str):
        raise _Unfit
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise _Unfit from error
