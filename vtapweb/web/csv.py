"""Downloads, streamed in chunks: CSV for spreadsheets that is safe to open, and JSON.

A cell that begins with = + - @ or a control character would be run as a formula (OWASP "CSV injection"); such a cell gets a leading
apostrophe. Numbers stay numbers.
"""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe_cell(value: object) -> str | int | float:
    """What to write for a value: None as "", numbers as they are, text that a spreadsheet would run with an apostrophe before it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return value
    text = str(value).replace("\x00", "")
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text


def lines(rows: Iterable[Sequence[object]]) -> str:
    """The rows as CSV text (RFC 4180: CRLF, quotes doubled)."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows([[safe_cell(cell) for cell in row] for row in rows])
    return buffer.getvalue()


def csv_response(request: HttpRequest, *, filename: str, header: Sequence[str], chunks: Iterator[list[list[object]]]) -> StreamingHttpResponse:
    """A streamed download. `chunks` yields rows in portions, each read when the client is ready for it; a byte-order mark tells Excel it is UTF-8."""

    def texts() -> Iterator[bytes]:
        yield ("\ufeff" + lines([header])).encode()
        for chunk in chunks:
            yield lines(chunk).encode()

    return streamed(request, filename=filename, content_type="text/csv; charset=utf-8", parts=texts())


def json_response(request: HttpRequest, *, filename: str, chunks: Iterator[Sequence[object]]) -> StreamingHttpResponse:
    """The same as one JSON document `{"items": […]}`, an item a line."""

    def texts() -> Iterator[bytes]:
        yield b'{"items": ['
        start = "\n"
        for chunk in chunks:
            if chunk:
                yield (start + ",\n".join(json.dumps(one, default=str) for one in chunk)).encode()
                start = ",\n"
        yield b"\n]}\n"

    return streamed(request, filename=filename, content_type="application/json", parts=texts())


def streamed(request: HttpRequest, *, filename: str, content_type: str, parts: Iterator[bytes]) -> StreamingHttpResponse:
    """A download whose parts are made when the client is ready for them, under ASGI and WSGI alike."""

    async def parts_async() -> AsyncIterator[bytes]:
        while (part := await sync_to_async(lambda: next(parts, None))()) is not None:
            yield part

    content = parts_async() if isinstance(request, ASGIRequest) else parts
    response = StreamingHttpResponse(content, content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response
