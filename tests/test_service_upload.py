"""Multipart bodies: the same parts however they are cut, and bounded work for hostile ones."""

import asyncio
import gc
import time
import tracemalloc
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defectseg.service.codes import Failure
from defectseg.service.upload import (
    MAX_FIELD_BYTES,
    MAX_FIELDS,
    MAX_HEADER_BYTES,
    Part,
    Upload,
    field_of,
    files_of,
)
from service_parts import BOUNDARY, form

KIND = f"multipart/form-data; boundary={BOUNDARY}"


async def stream_of(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def read(*chunks: bytes, kind: str = KIND, max_files: int = 1) -> list[Part]:
    parts: list[Part] = []

    async def story() -> None:  # no result: `asyncio.run` may make a text of it, as large
        parts.extend(await Upload(kind, max_files).read(stream_of(list(chunks))))

    asyncio.run(story())
    return parts


def code_of(*chunks: bytes, kind: str = KIND, max_files: int = 1) -> str:
    with pytest.raises(Failure) as caught:
        read(*chunks, kind=kind, max_files=max_files)
    return caught.value.code


def told(parts: list[Part]) -> list[tuple[str, str | None, bytes]]:
    return [(part.name, part.filename, part.take_content()) for part in parts]


BODY = form(("image_id", None, "naïve".encode()), ("image", "a b.png", b"\x89PNG\r\n--xy\r\n--"))


def test_a_file_whose_name_comes_encoded_alone_is_a_file():
    body = BODY.replace(b'filename="a b.png"', b"filename*=UTF-8''a%20b.png")
    assert body != BODY
    [file] = files_of(read(body), "image")
    assert file.take_content() == b"\x89PNG\r\n--xy\r\n--"


def test_files_and_fields_come_out_as_they_were_sent():
    parts = read(BODY)
    assert field_of(parts, "image_id") == "naïve"
    assert [part.label for part in files_of(parts, "image")] == ["a b.png"]
    assert told(parts)[1] == ("image", "a b.png", b"\x89PNG\r\n--xy\r\n--")


@settings(max_examples=100, deadline=None)
@given(cuts=st.lists(st.integers(0, len(BODY)), max_size=12))
def test_however_a_body_is_cut_its_parts_are_the_same(cuts: list[int]):
    edges = [0, *sorted(cuts), len(BODY)]
    chunks = [BODY[a:b] for a, b in pairwise(edges)]
    assert told(read(*chunks)) == told(read(BODY))


def test_a_body_may_come_byte_by_byte_or_be_cut_at_any_byte():
    expected = told(read(BODY))
    assert told(read(*[bytes([byte]) for byte in BODY])) == expected
    for cut in range(len(BODY)):
        assert told(read(BODY[:cut], BODY[cut:])) == expected


def test_a_body_that_ends_anywhere_before_its_last_boundary_is_refused():
    whole = BODY.index(b"--xyz--") + len(b"--xyz--")
    for end in range(whole):
        assert code_of(BODY[:end]) == "BAD_MULTIPART", end
    assert told(read(BODY[:whole])) == told(read(BODY))


@pytest.mark.parametrize("kind", ["", "application/json", "image/png", "text/plain; boundary=xyz"])
def test_what_is_no_form_is_refused(kind: str):
    assert code_of(BODY, kind=kind) == "UNSUPPORTED_MEDIA_TYPE"


@pytest.mark.parametrize("rest", ["", ";", "; boundary", "; boundary=", f"; boundary={'x' * 300}"])
def test_a_boundary_that_is_missing_or_too_long_is_refused(rest: str):
    assert code_of(BODY, kind=f"multipart/form-data{rest}") == "BAD_MULTIPART"


def test_another_boundary_than_the_header_names_is_refused():
    assert code_of(BODY, kind="multipart/form-data; boundary=abc") == "BAD_MULTIPART"


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\\b", "C:\\temp\\a.png", "é.png", "a;b=c"])
def test_a_name_is_only_a_label(name: str):
    [part] = read(form(("image", name, b"x")))
    assert part.label.isprintable()
    assert part.take_content() == b"x"


@pytest.mark.parametrize(
    ("name", "label"),
    [("a\0b.png", "a\\x00b.png"), ("gnp.\u202e.png", "gnp.\\u202e.png"), ('a\\"b', 'a"b')],
)
def test_what_could_steer_a_terminal_is_escaped(name: str, label: str):
    [part] = read(form(("image", name, b"x")))
    assert part.label == label


def test_a_long_name_is_cut_and_a_longer_header_refused():
    [part] = read(form(("image", "n" * 3000, b"x")))
    assert part.label == "n" * 200
    assert code_of(form(("image", "n" * 10_000, b"x"))) == "TOO_MANY_PARTS"


@pytest.mark.parametrize("size", [1, 1000, 10**7])
def test_huge_headers_of_a_part_are_refused_however_they_come(size: int):
    start = b"--xyz\r\nX-Long: "
    assert code_of(start, b"a" * 10**7) == "TOO_MANY_PARTS"
    pieces = [b"a" * size] * (MAX_HEADER_BYTES // size + 1)
    assert code_of(start, *pieces) == "TOO_MANY_PARTS"
    assert code_of(b"--xyz\r\n" + b"N" * (MAX_HEADER_BYTES + 1) + b": x") == "TOO_MANY_PARTS"


def test_many_headers_of_a_part_are_refused():
    assert code_of(b"--xyz\r\n" + b"A: b\r\n" * 100) == "BAD_MULTIPART"


def test_a_part_without_headers_is_a_field_without_a_name():
    body = b"--xyz\r\n\r\nhello\r\n" + form(("image", "a.png", b"x"))
    assert told(read(body))[0] == ("", None, b"hello")


def test_a_form_inside_a_form_is_content():
    inner = form(("image", "b", b"y")).replace(BOUNDARY.encode(), b"abc")
    [part] = read(form(("image", "a.png", inner)))
    assert part.take_content() == inner


def test_a_second_file_in_image_is_called_so_and_any_other_too_many():
    two = form(("image", "a", b"x"), ("image", "b", b"y"))
    assert code_of(two) == "DUPLICATE_FILE"
    assert code_of(form(("image", "a", b"x"), ("other", "b", b"y"))) == "TOO_MANY_PARTS"
    assert len(read(two, max_files=2)) == 2
    three = form(*[("images", "a", b"x")] * 3)
    assert code_of(three, max_files=2) == "TOO_MANY_PARTS"


def test_as_many_fields_as_allowed_and_no_more():
    file = ("image", "a.png", b"x")
    assert len(read(form(*[("f", None, b"v")] * MAX_FIELDS, file))) == MAX_FIELDS + 1
    assert code_of(form(*[("f", None, b"v")] * (MAX_FIELDS + 1), file)) == "TOO_MANY_PARTS"


def test_a_field_as_long_as_allowed_and_no_longer():
    assert len(read(form(("f", None, b"v" * MAX_FIELD_BYTES)))) == 1
    assert code_of(form(("f", None, b"v" * (MAX_FIELD_BYTES + 1)))) == "TOO_MANY_PARTS"


def test_thousands_of_parts_are_refused_at_the_first_too_many():
    upload = Upload(KIND, 1)
    body = form(*[("f", None, b"v")] * 20_000)
    started = time.monotonic()
    with pytest.raises(Failure, match="TOO_MANY_PARTS"):
        asyncio.run(upload.read(stream_of([body])))
    assert len(upload.parts) == MAX_FIELDS + 1
    assert time.monotonic() - started < 1


def test_a_form_without_the_file_is_refused():
    parts = read(form(("image", None, b"no file"), ("other", "a.png", b"x")))
    for name in ("image", "images"):
        with pytest.raises(Failure, match=f"`{name}`") as caught:
            files_of(parts, name)
        assert caught.value.code == "FILE_REQUIRED"
    assert field_of(parts, "missing") is None


def test_bytes_that_are_no_utf_8_become_a_printable_label():
    [part] = read(form(("image", "X", b"x")).replace(b'"X"', b'"\xff\xfe.png"'))
    assert part.label.isprintable()


SIZE = 30_000_000


def chunks_of(size: int) -> list[bytes]:
    head, tail = form(("image", "a.png", b"@")).split(b"@")
    return [head, *[bytes(65_536)] * (size // 65_536), tail]


def test_a_large_file_is_held_no_more_than_twice():
    chunks = chunks_of(SIZE)
    tracemalloc.start()
    try:
        parts = read(*chunks)
        content = parts[0].take_content()
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(content) == SIZE // 65_536 * 65_536
    assert peak < 2.2 * SIZE
    assert now < 1.1 * SIZE
    assert parts[0].chunks == []  # the part gave it away


def test_a_body_that_fails_leaves_nothing_behind_even_without_a_garbage_collection():
    chunks = chunks_of(SIZE)[:-1]
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        assert code_of(*chunks) == "BAD_MULTIPART"
        now = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.enable()
    assert now < 0.1 * SIZE


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=200) | st.just(BODY).map(lambda b: b[:40] + b[60:]))
def test_whatever_comes_is_read_or_refused_with_a_code(body: bytes):
    try:
        read(b"--xyz\r\n" + body)
    except Failure as failure:
        assert failure.code in {"BAD_MULTIPART", "TOO_MANY_PARTS", "DUPLICATE_FILE"}
