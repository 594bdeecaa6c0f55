"""Request bodies: bytes become plain values, strictly, or a clear error.

JSON must be UTF-8 and plain: no NaN, no numbers of thousands of digits, no endless nesting, no
field twice.
A form carries text fields and as many files as its route says.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    """A body's fields, and its files if a form carried any.

    Attributes:
        values: The fields by name.
        files: The files by the name of their field, in order.
        is_text: Whether every value is text, as forms send them.
    """

    values: Mapping[str, object]
    files: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    is_text: bool = False

    def find_file(self, name: str) -> bytes | None:
        """Return the first file of a field, None without any."""
        return next(iter(self.files.get(name, ())), None)


async def read_body(request: Request, *, files: Mapping[str, int] | None = None) -> ParsedBody:
    """Read a JSON object or, where files are expected, a form.

    Args:
        request: Whose body is read.
        files: How many files of which names a form may carry; None takes no forms.

    Raises:
        UnsupportedBodyError: Another content type.
        MalformedBodyError: No JSON object, or a damaged form.
        InvalidRequestError: A form with doubled or unexpected parts.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type in JSON_TYPES or content_type.endswith("+json"):
        return ParsedBody(values=parse_json_object(await request.body()))
    if content_type == FORM_TYPE and files is not None:
        # One more, so that the words about it are ours.
        form = await read_form(request, max_files=1 + sum(files.values()))
        try:
            return await _sort_parts(form, files)
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
        raise InvalidRequestError(part_problem(str(error), "given_twice", "出现了两次")) from error
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


async def _sort_parts(form: FormData, most: Mapping[str, int]) -> ParsedBody:
    values: dict[str, object] = {}
    files: dict[str, tuple[bytes, ...]] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            known = files.get(name, ())
            require_file(name, most, len(known))
            files[name] = (*known, await value.read())
        elif name in values:
            raise InvalidRequestError(part_problem(name, "given_twice", "出现了两次"))
        elif name in most:
            if value:
                raise InvalidRequestError(part_problem(name, "file_expected", "应为文件"))
        elif value:
            values[name] = value  # an empty field of a form means that it was left out
    return ParsedBody(values=values, files=files, is_text=True)


def require_file(name: str, most: Mapping[str, int], count: int) -> None:
    """Refuse a file that may not be there, or not once more."""
    limit = most.get(name, 0)
    if not limit:
        raise InvalidRequestError(part_problem(name, "unexpected_file", "不应为文件"))
    if count < limit:
        return
    if limit == 1:
        raise InvalidRequestError(part_problem(name, "given_twice", "出现了两次"))
    raise InvalidRequestError(
        FieldProblem(
            pointer=f"/{name}",
            code="too_many_pictures",
            en=f"at most {limit} files can be sent as {name}",
            zh=f"{name} 最多可上传 {limit} 个文件",
        )
    )


def part_problem(name: str, code: str, zh: str) -> FieldProblem:
    """Return what is wrong with a part of a form."""
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
