"""Request bodies: bytes become plain values, strictly, or a clear error.

JSON must be UTF-8 and plain: no NaN, no numbers of thousands of digits, no endless nesting, no
field twice.
A form carries text fields and at most one file.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from gen_video.api.forms import read_form
from gen_video.api.problems import MalformedBodyError, UnsupportedBodyError, field_problems
from gen_video.errors import FieldProblem, InvalidRequestError

JSON_TYPES = ("", "application/json")
FORM_TYPE = "multipart/form-data"
STRUCTURE, MAX_STRUCTURE = (b"{", b"[", b",", b":"), 50_000
"""Long texts are cheap to parse, millions of empty lists are not; base64 has none of these."""

Fields = TypeVar("Fields", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedBody:
    """A body's fields, and its one file if a form carried one.

    `is_text` tells that every value is text, as forms send them.
    """

    values: Mapping[str, object]
    file: bytes | None = None
    is_text: bool = False


async def read_body(request: Request, *, file_field: str | None = None) -> ParsedBody:
    """Read a JSON object or, where a file is expected, a form.

    Args:
        request: Whose body is read.
        file_field: The name of the one file that a form may carry; None takes no forms.

    Raises:
        UnsupportedBodyError: Another content type.
        MalformedBodyError: No JSON object, or a damaged form.
        InvalidRequestError: A form with doubled or unexpected parts.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type in JSON_TYPES or content_type.endswith("+json"):
        return ParsedBody(values=parse_json_object(await request.body()))
    if content_type == FORM_TYPE and file_field is not None:
        form = await read_form(request)
        try:
            return await _sort_parts(form, file_field)
        finally:
            await form.close()
    raise UnsupportedBodyError


def parse_json_object(raw: bytes) -> dict[str, object]:
    """Parse a JSON object.

    Raises:
        MalformedBodyError: Says what is wrong and where.
    """
    if sum(raw.count(mark) for mark in STRUCTURE) > MAX_STRUCTURE:
        raise MalformedBodyError(reason="it has far too many parts", reason_zh="包含的项过多")
    try:
        value = json.loads(
            raw.decode("utf-8-sig"),
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_fields,
        )
    except _FieldTwiceError as error:
        raise InvalidRequestError(_part_problem(str(error), "given_twice", "出现了两次")) from error
    except UnicodeDecodeError as error:
        raise MalformedBodyError(reason="it is not UTF-8", reason_zh="不是 UTF-8 编码") from error
    except json.JSONDecodeError as error:
        raise MalformedBodyError(
            reason=f"invalid JSON at line {error.lineno}, column {error.colno}",
            reason_zh=f"第 {error.lineno} 行第 {error.colno} 列不是有效的 JSON",
        ) from error
    except RecursionError as error:
        raise MalformedBodyError(reason="nested too deeply", reason_zh="嵌套过深") from error
    except ValueError as error:
        raise MalformedBodyError(
            reason="it has a number that is none or far too long", reason_zh="含有无效或过长的数字"
        ) from error
    if not isinstance(value, dict):
        raise MalformedBodyError(reason="it must be a JSON object", reason_zh="应为 JSON 对象")
    return value


def check_fields(body: ParsedBody, model: type[Fields]) -> Fields:
    """Check a body's values against a model: exact types for JSON, text for forms.

    Raises:
        InvalidRequestError: Names every field that is wrong.
    """
    try:
        return model.model_validate(body.values, strict=not body.is_text)
    except ValidationError as error:
        details: list[dict[str, Any]] = [dict(item) for item in error.errors(include_url=False)]
        raise InvalidRequestError(*field_problems(details)) from error


async def _sort_parts(form: FormData, file_field: str) -> ParsedBody:
    values: dict[str, object] = {}
    file: bytes | None = None
    for name, value in form.multi_items():
        if name in values or (name == file_field and file is not None):
            raise InvalidRequestError(_part_problem(name, "given_twice", "出现了两次"))
        if isinstance(value, UploadFile):
            if name != file_field:
                raise InvalidRequestError(_part_problem(name, "unexpected_file", "不应为文件"))
            file = await value.read()
        elif name == file_field:
            if value:
                raise InvalidRequestError(_part_problem(name, "file_expected", "应为文件"))
        elif value:
            values[name] = value  # an empty field of a form means that it was left out
    return ParsedBody(values=values, file=file, is_text=True)


def _part_problem(name: str, code: str, zh: str) -> FieldProblem:
    words = {
        "given_twice": "is there twice",
        "unexpected_file": "must not be a file",
        "file_expected": "must be a file",
    }
    short = name[:60].encode("utf-8", "replace").decode()
    return FieldProblem(
        pointer=f"/{short}", code=code, en=f"{short} {words[code]}", zh=f"{short} {zh}"
    )


class _FieldTwiceError(Exception):
    """An object names a field twice; which of the two was meant?"""


def _unique_fields(pairs: list[tuple[str, object]]) -> dict[str, object]:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise _FieldTwiceError(name)
        seen.add(name)
    return dict(pairs)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
