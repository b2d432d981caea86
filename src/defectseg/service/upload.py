"""The multipart body of a request in, its files and fields out; nothing touches the disk."""

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from defectseg.inference.stream.picture import printable
from defectseg.service.codes import Failure

MAX_FIELDS = 8  # parts that are no file
MAX_FIELD_BYTES = 4096
MAX_HEADER_BYTES = 4096  # of the name, and of the value, of a header of a part
MAX_NAME = 200  # characters of a file's name that are told


@dataclass
class Part:
    """One file or field of the form."""

    name: str = ""
    filename: str | None = None  # None = a field
    chunks: list[bytes] = field(default_factory=list)
    size: int = 0  # bytes so far

    def take_content(self) -> bytes:
        """All of it; the part is empty from now on: a picture is not held twice."""
        content = b"".join(self.chunks)
        self.chunks.clear()
        return content

    @property
    def label(self) -> str:
        """The file's name, harmless: for people only, never for a path."""
        return printable(self.filename or "")[:MAX_NAME]


class Upload:
    """Reads a body bit by bit; the caller bounds its size."""

    def __init__(self, content_type: str, max_files: int) -> None:
        """Raises: Failure: It is no multipart form, or it names no boundary."""
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data":
            raise Failure("UNSUPPORTED_MEDIA_TYPE")
        boundary = options.get(b"boundary", b"")
        if not boundary:
            raise Failure("BAD_MULTIPART", "the Content-Type names no boundary")
        self._boundary = boundary
        self.parts: list[Part] = []
        self._max_files = max_files
        self._header: list[bytes] = [b"", b""]  # name and value of the one that is being read
        self._is_complete = False

    async def read(self, stream: AsyncIterator[bytes]) -> list[Part]:
        """Read all of it.

        Raises:
            Failure: It is cut off, malformed, or has too many or too long parts.
        """
        try:
            parser = self._open_parser()
            async for chunk in stream:
                if chunk:
                    parser.write(chunk)
        except FormParserError as error:
            raise Failure("BAD_MULTIPART", "the multipart body is malformed") from error
        if not self._is_complete:
            raise Failure("BAD_MULTIPART", "the body ends before its last boundary; send all of it")
        return self.parts

    def _open_parser(self) -> MultipartParser:
        """Never an attribute: it holds this object, and both would outlive the request."""
        return MultipartParser(
            self._boundary,
            {
                "on_part_begin": self._begin,
                "on_part_data": self._add,
                "on_header_begin": self._begin_header,
                "on_header_field": self._add_name,
                "on_header_value": self._add_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._refuse_too_many,
                "on_end": self._end,
            },
            max_header_size=sys.maxsize,  # `_add_header` has the limit
        )

    def _begin(self) -> None:
        self.parts.append(Part())

    def _begin_header(self) -> None:
        self._header = [b"", b""]

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._add_header(0, data[start:end])

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._add_header(1, data[start:end])

    def _add_header(self, place: int, data: bytes) -> None:
        if len(self._header[place]) + len(data) > MAX_HEADER_BYTES:
            at_most = f"a header of a part is longer than {MAX_HEADER_BYTES} bytes"
            raise Failure("TOO_MANY_PARTS", f"{at_most}; shorten the file's name")
        self._header[place] += data

    def _end_header(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            _, options = parse_options_header(self._header[1])
            part = self.parts[-1]
            part.name = options.get(b"name", b"").decode("utf-8", errors="replace")
            if b"filename" in options:
                part.filename = options[b"filename"].decode("utf-8", errors="replace")
            elif b"filename*" in self._header[1].lower():  # RFC 5987, which the parser leaves out
                part.filename = ""

    def _refuse_too_many(self) -> None:
        files = sum(part.filename is not None for part in self.parts)
        fields = len(self.parts) - files
        if fields > MAX_FIELDS:
            raise Failure("TOO_MANY_PARTS", f"more than {MAX_FIELDS} fields; send fewer")
        if files > self._max_files:
            twice = self._max_files == 1 and [part.name for part in self.parts].count("image") > 1
            at_most = f"more than {self._max_files} files; send fewer in one request"
            raise Failure("DUPLICATE_FILE") if twice else Failure("TOO_MANY_PARTS", at_most)

    def _add(self, data: bytes, start: int, end: int) -> None:
        part = self.parts[-1]
        part.size += end - start
        if part.filename is None and part.size > MAX_FIELD_BYTES:
            raise Failure("TOO_MANY_PARTS", f"a field is longer than {MAX_FIELD_BYTES} bytes")
        part.chunks.append(data[start:end])

    def _end(self) -> None:
        self._is_complete = True


def files_of(parts: list[Part], name: str) -> list[Part]:
    """The files in one field of the form.

    Raises:
        Failure: There is none.
    """
    found = [part for part in parts if part.name == name and part.filename is not None]
    if not found:
        raise Failure("FILE_REQUIRED", f"expected a file in the field `{name}`")
    return found


def field_of(parts: list[Part], name: str) -> str | None:
    """What stands in one field, harmless; None where it is not in the form."""
    for part in parts:
        if part.name == name and part.filename is None:
            return printable(b"".join(part.chunks).decode("utf-8", errors="replace"))[:MAX_NAME]
    return None
