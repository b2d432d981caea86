"""Damaged requests by the thousand, each from a seed: no 5xx, no unknown code, no hang."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blurred_model import write_blurred_model
from defectseg.service.codes import CODES
from hostile_files import draw_grain, hostile_files, lies, odd_files
from http_sockets import Answer, Part, Wire, form, post, request, upload
from live_service import LiveService, serving
from picture_files import encode

BODIES, CLIENTS = 20_000, 4
LARGEST = 20_000  # bytes of a picture that is mutated
HEADS = 0.05  # of all: on a connection of its own, which may have to run into a timeout
SETTINGS = {"header_timeout_s": 0.3, "body_timeout_s": 0.3, "model_poll_s": 0}
GREY = encode(Image.fromarray(draw_grain(24, 40)))
Draw = random.Random


@pytest.fixture
def service(tmp_path: Path) -> Iterator[LiveService]:
    model = write_blurred_model(tmp_path / "models/blurred.onnx")
    with serving(tmp_path, model=model, **SETTINGS) as found:
        yield found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_thousand_damaged_requests_get_no_5xx_and_no_unknown_code(service: LiveService):
    expected = said_of(service)
    with ThreadPoolExecutor(CLIENTS) as clients:
        shares = [BODIES // CLIENTS] * CLIENTS
        codes = sum(clients.map(fuzz, [service] * CLIENTS, range(CLIENTS), shares), Counter())
    print(f"{BODIES} damaged requests: {dict(codes.most_common())}")
    assert sum(codes.values()) == BODIES
    assert service.process.poll() is None
    assert service.metric("defectseg_worker_restarts_total") == 0
    service.wait_for(lambda: service.metric("defectseg_in_flight") == 0)
    failed = [name for name in ("a request failed", "a stage failed") if service.events(name)]
    assert not failed
    assert said_of(service) == expected
    assert {"OK", "IMAGE_CORRUPT", "BAD_MULTIPART", "BAD_REQUEST"} <= set(codes)  # it reached all


@pytest.mark.parametrize("seed", [100, 101])
def test_some_hundred_damaged_requests_get_no_5xx_and_no_unknown_code(
    service: LiveService, seed: int
):
    expected = said_of(service)
    codes = fuzz(service, seed, 300)
    assert sum(codes.values()) == 300
    assert said_of(service) == expected


def said_of(service: LiveService) -> list[object]:
    """What the service says of a picture that is in order."""
    with Wire(service.port) as wire:
        told = wire.ask(upload(GREY)).json()
    return [told[key] for key in ("verdict", "defects", "mask")]


def fuzz(service: LiveService, seed: int, count: int) -> Counter[str]:
    """Send so many; how often each code came."""
    draw = Draw(seed)
    seeds = [GREY, *small_pictures()]
    codes: Counter[str] = Counter()
    with ExitStack() as stack:
        wire = stack.enter_context(Wire(service.port))
        for number in range(count):
            if draw.random() < HEADS:
                code = ask_once(service.port, mutate_head(draw, draw.choice(seeds)))
            else:
                content = draw.choice(BODY_KINDS)(draw, draw.choice(seeds))
                try:
                    answer = wire.ask(content)
                except (EOFError, OSError) as error:
                    raise AssertionError(f"seed {seed}, {number}: {content[:2000]!r}") from error
                code = judge(answer)
                if answer.headers.get("connection") == "close":
                    assert wire.reads_end()
                    wire = stack.enter_context(Wire(service.port))
            assert code in CODES or code in {"OK", "closed"}, (seed, number, code)
            codes[code] += 1
    return codes


def ask_once(port: int, content: bytes) -> str:
    """Send what may be no request at all; its code, or that the connection ended."""
    with Wire(port) as wire:
        try:
            return judge(wire.ask(content))
        except (EOFError, ConnectionError):
            return "closed"


def judge(answer: Answer) -> str:
    """The code of a reply that is no fault of the service."""
    assert answer.status < 500, answer
    return answer.code


@cache
def small_pictures() -> list[bytes]:
    """One of each way in which a picture may be stored."""
    grain = Image.fromarray(draw_grain(24, 40))
    colours = grain.convert("RGB")
    turned = lies(6)
    found = [
        *(encode(grain, kind) for kind in ("JPEG", "BMP", "TIFF", "WEBP")),
        encode(colours, "JPEG", exif=turned, progressive=True),
        encode(colours, "TIFF", compression="tiff_lzw", exif=turned),
        encode(colours, "TIFF", compression="jpeg"),
        encode(colours, "PNG", exif=turned),
        encode(colours, "WEBP", lossless=True, exif=turned),
        encode(grain.convert("1"), "TIFF", compression="group4"),
        encode(Image.fromarray(np.arange(960, dtype=np.uint16).reshape(24, 40) * 60)),
    ]
    others = [*odd_files().values(), *(file.content for file in hostile_files().values())]
    return found + [content for content in others if 0 < len(content) < LARGEST]


def mutate(draw: Draw, content: bytes) -> bytes:
    """A few flips, cuts, repeats and strange numbers."""
    found = bytearray(content)
    for _ in range(draw.choice([1, 1, 2, 4, 16])):
        if not found:
            break
        place, length = draw.randrange(len(found)), draw.choice([1, 2, 4, 8, 64])
        kind = draw.randrange(6)
        if kind == 0:
            found[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            found[place : place + length] = draw.randbytes(length)
        elif kind == 2:
            del found[place : place + length]
        elif kind == 3:
            found[place:place] = found[place : place + length] * draw.choice([1, 2, 50])
        elif kind == 4:
            number = draw.choice([b"\0", b"\xff", b"\x7f", b"\x80"]) * draw.choice([1, 2, 4])
            found[place : place + len(number)] = number
        else:
            del found[place:]
    return bytes(found)


def mutate_picture(draw: Draw, picture: bytes) -> bytes:
    """A proper form with a damaged picture."""
    return upload(mutate(draw, picture))


def splice_pictures(draw: Draw, picture: bytes) -> bytes:
    """The beginning of one picture with the end of another."""
    other = draw.choice(small_pictures())
    return upload(picture[: draw.randrange(len(picture) + 1)] + other[draw.randrange(len(other)) :])


def mutate_body(draw: Draw, picture: bytes) -> bytes:
    """A damaged form, of the right length."""
    body, kind = form([Part("image", picture, b"a.png"), Part("image_id", b"7")], "edge")
    return post(mutate(draw, body), kind)


def mutate_form_head(draw: Draw, picture: bytes) -> bytes:
    """A form that is damaged around its picture only."""
    body, kind = form([Part("image", b"@", b"a.png"), Part("image_id", b"7")], "edge")
    return post(mutate(draw, body).replace(b"@", picture), kind)


def repeat_parts(draw: Draw, picture: bytes) -> bytes:
    """Any number of parts in any order."""
    choice = [
        Part("image", picture, b"a.png"),
        Part("images", picture, b"a.png"),
        Part("image", b"", b""),
        Part("image_id", b"\xff" * draw.choice([0, 1, 5000])),
        Part("", b"", None, b"Content-Type: multipart/mixed; boundary=edge\r\n"),
        Part("image", picture, b"a", b"Content-Transfer-Encoding: base64\r\n"),
    ]
    parts = draw.choices(choice, k=draw.randrange(20))
    path = draw.choice(["/v1/analyze", "/v1/analyze/batch", "/analyze"])
    return post(*form(parts, "edge"), path=path + draw.choice(["", "?mask=png", "?heat=true"]))


def mutate_kind(draw: Draw, picture: bytes) -> bytes:
    """A damaged content type and query."""
    body, kind = form([Part("image", picture, b"a.png")], "edge")
    letters = [letter for letter in mutate(draw, kind.encode()) if 32 <= letter < 127]
    query = "".join(draw.choices("mask=rlepngheattrue&%0f", k=draw.randrange(12)))
    return post(body, bytes(letters).decode(), path=f"/v1/analyze?{query}")


def mutate_head(draw: Draw, picture: bytes) -> bytes:
    """A damaged request line and headers; the body is there or not."""
    whole = upload(picture)
    if draw.random() < 0.1:
        whole = request(draw.choice(["/metrics", "/", "/v1/model", "/page/a%00", "/%ff"]))
    head, mark, body = whole.partition(b"\r\n\r\n")
    return mutate(draw, head) + mark + (body if draw.random() < 0.8 else b"")


BODY_KINDS: list[Callable[[Draw, bytes], bytes]] = [
    *(mutate_picture, mutate_picture, mutate_picture, splice_pictures),
    *(mutate_body, mutate_form_head, repeat_parts, mutate_kind),
]
