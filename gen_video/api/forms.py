"""Forms: `multipart/form-data`, whole and in UTF-8, or an error.

The framework's parser takes a form that was cut off as if it were complete, and reads text of
another encoding as Latin-1: both would draw, and charge, something that nobody asked for.
"""

from contextlib import aclosing

from fastapi import Request
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from typing_extensions import override

from gen_video.api.problems import MalformedBodyError

MAX_FIELDS = 50
MAX_FILES = 2
MAX_TEXT_BYTES = 256 * 1024


class _StrictParser(MultiPartParser):
    is_complete = False

    @override
    def on_part_end(self) -> None:
        if self._current_part.file is None:
            self._current_part.data.decode("utf-8")
        super().on_part_end()

    @override
    def on_headers_finished(self) -> None:
        self._charset = "utf-8"  # whatever the content type says
        super().on_headers_finished()

    @override
    def on_end(self) -> None:
        self.is_complete = True


async def read_form(request: Request, *, max_files: int = MAX_FILES) -> FormData:
    """Read a form; whoever called closes it.

    Raises:
        MalformedBodyError: It is damaged, cut off, or not UTF-8.
    """
    async with aclosing(request.stream()) as stream:
        parser = _StrictParser(
            request.headers,
            stream,
            max_files=max_files,
            max_fields=MAX_FIELDS,
            max_part_size=MAX_TEXT_BYTES,
        )
        try:
            form = await parser.parse()
        except MultiPartException as error:
            raise MalformedBodyError(reason=error.message, reason_zh="表单格式错误") from error
        except UnicodeDecodeError as error:
            raise MalformedBodyError(
                reason="a field is not UTF-8", reason_zh="表单字段不是 UTF-8 编码"
            ) from error
    if not parser.is_complete:
        await form.close()
        raise MalformedBodyError(
            reason="the form ends before its last boundary", reason_zh="表单不完整"
        )
    return form
