"""Request bodies of OpenAI's clients: JSON, or a form as their SDKs write it.

A list in a form is `image[]`, a member of an object is `metadata[name]`.
"""

import re
from collections.abc import Mapping

from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from gen_video.api.bodies import FORM_TYPE, ParsedBody, part_problem, read_body, require_file
from gen_video.api.forms import read_form
from gen_video.errors import InvalidRequestError

LIST = "[]"
_MEMBER = re.compile(r"([a-z_]+)\[([^\[\]]+)\]")


async def read_openai_body(
    request: Request,
    *,
    files: Mapping[str, int] | None = None,
    or_text: frozenset[str] = frozenset(),
) -> ParsedBody:
    """Read a JSON object or a form.

    Args:
        request: Whose body is read.
        files: How many files of which names a form may carry.
        or_text: Those of them that may come as text instead.

    Raises:
        UnsupportedBodyError: Another content type.
        MalformedBodyError: No JSON object, or a damaged form.
        InvalidRequestError: A form with doubled or unexpected parts.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != FORM_TYPE:
        return await read_body(request)
    most = files or {}
    # One more, so that the words about it are ours.
    form = await read_form(request, max_files=1 + sum(most.values()))
    try:
        return await _sort_parts(form, most, or_text)
    finally:
        await form.close()


async def _sort_parts(
    form: FormData, most: Mapping[str, int], or_text: frozenset[str]
) -> ParsedBody:
    values: dict[str, object] = {}
    files: dict[str, tuple[bytes, ...]] = {}
    for given, value in form.multi_items():
        name = given.removesuffix(LIST)
        if isinstance(value, UploadFile):
            require_file(name, most, len(files.get(name, ())))
            files[name] = (*files.get(name, ()), await value.read())
        elif value:  # an empty field of a form means that it was left out
            if name in most and name not in or_text:
                raise InvalidRequestError(part_problem(name, "file_expected", "应为文件"))
            _add_text(values, name, value)
    for name in values.keys() & files.keys():
        raise _given_twice(name)
    return ParsedBody(values=values, files=files, is_text=True)


def _add_text(values: dict[str, object], name: str, value: str) -> None:
    match = _MEMBER.fullmatch(name)
    if match is None:
        if name in values:
            raise _given_twice(name)
        values[name] = value
        return
    members = values.setdefault(match[1], {})
    if not isinstance(members, dict) or match[2] in members:
        raise _given_twice(name)
    members[match[2]] = value


def _given_twice(name: str) -> InvalidRequestError:
    return InvalidRequestError(part_problem(name, "given_twice", "出现了两次"))
