"""Ten thousand hostile requests and pictures of thousands of sizes: the memory stays as it is."""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from blurred_model import write_blurred_model
from hostile_files import draw_grain, hostile_files, odd_files
from http_sockets import Wire, ask, upload
from live_service import LiveService, serving
from picture_files import encode
from test_hostile_transport import no_http, wrong_forms

WARM, REPEATS, SIZES = 1_000, 10_000, 2_000
MOST_MIB = 50
SIDES = (8, 250)  # px


@pytest.fixture
def service(tmp_path: Path) -> Iterator[LiveService]:
    model = write_blurred_model(tmp_path / "models/blurred.onnx")
    with serving(tmp_path, model=model, model_poll_s=0) as found:
        yield found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_thousand_hostile_requests_take_no_memory(service: LiveService):
    draw = random.Random(0)
    send(service, draw, WARM)
    before = service.memory_mib()
    codes: Counter[str] = Counter()
    steps = []
    for _ in range(10):
        codes += send(service, draw, REPEATS // 10)
        steps.append(round(service.memory_mib() - before, 1))
    print(f"{REPEATS} hostile requests: {before:.0f} MiB, then {steps} more; {dict(codes)}")
    assert service.metric("defectseg_worker_restarts_total") == 0
    assert len(codes) > 15  # it was hostile in many ways
    assert max(steps) < MOST_MIB


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_pictures_of_two_thousand_sizes_take_no_memory(service: LiveService):
    draw = random.Random(1)
    send_sizes(service, draw, WARM // 4)
    before = service.memory_mib()
    steps = []
    for _ in range(4):
        send_sizes(service, draw, SIZES // 4)
        steps.append(round(service.memory_mib() - before, 1))
    print(f"{SIZES} sizes: {before:.0f} MiB, then {steps} more")
    assert max(steps) < MOST_MIB


def send(service: LiveService, draw: random.Random, count: int) -> Counter[str]:
    """Send so many hostile, odd and good requests; how often each code came."""
    files = [file.content for file in hostile_files().values()] + list(odd_files().values())
    requests = [content for content, _, _ in [*no_http().values(), *wrong_forms().values()]]
    codes: Counter[str] = Counter()
    with Wire(service.port) as wire:
        for _ in range(count):
            kind = draw.random()
            if kind < 0.7:
                answer = wire.ask(upload(draw.choice(files)))
            elif kind < 0.8:
                answer = wire.ask(upload(draw_picture(draw)))
            elif kind < 0.97:
                answer = ask(service.port, draw.choice(requests))
            else:  # a client that goes in the middle
                with Wire(service.port) as other:
                    whole = upload(draw.choice(files))
                    other.send(whole[: draw.randrange(1, len(whole))])
                continue
            codes[answer.code] += 1
    return codes


def send_sizes(service: LiveService, draw: random.Random, count: int) -> None:
    """Send so many good pictures, each of another size."""
    with Wire(service.port) as wire:
        for _ in range(count):
            answer = wire.ask(upload(draw_picture(draw), path="/v1/analyze?mask=png&heat=true"))
            assert answer.status == 200


def draw_picture(draw: random.Random) -> bytes:
    """Grain of any size."""
    width, height = draw.randint(*SIDES), draw.randint(*SIDES)
    form = draw.choice(["PNG", "JPEG", "BMP"])
    return encode(Image.fromarray(draw_grain(height, width, draw.randrange(100))), form)
