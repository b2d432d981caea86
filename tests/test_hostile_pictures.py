"""Hostile and odd pictures over a real socket: each gets its code, the next is served as ever."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from blurred_model import write_blurred_model
from conftest import mask
from dark_model import write_dark_model
from drawn_model import paint
from hostile_files import (
    GOOD,
    Hostile,
    assert_good_is_served,
    draw_grain,
    flat_png,
    hostile_files,
    lay,
    lies,
    odd_files,
    read_png,
    to_cmyk,
    with_alpha,
)
from http_sockets import Answer, ask, upload, upload_all
from live_service import LiveService, serving
from picture_files import BIG, LITTLE, encode, write_tiff

NO_FILES = ("prlimit", "--fsize=0")  # starts a process that cannot write any file
CODES = (
    *("EMPTY_FILE", "UNSUPPORTED_IMAGE", "IMAGE_DIMENSIONS", "IMAGE_TOO_LARGE"),
    *("IMAGE_CORRUPT", "BIT_DEPTH", "MULTI_FRAME"),
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """Colours: red is a crack, green a blowhole, a blue of 255 no number."""
    with serving(tmp_path_factory.mktemp("drawn"), wrapper=NO_FILES) as found:
        yield found


@pytest.fixture(scope="module")
def dark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """Grey: what is darker than 128 is a blowhole."""
    folder = tmp_path_factory.mktemp("dark")
    model = write_dark_model(folder / "models/dark.onnx")
    with serving(folder, model=model, wrapper=NO_FILES) as found:
        yield found


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """Grey: what is dark around a pixel makes it a blowhole."""
    folder = tmp_path_factory.mktemp("network")
    model = write_blurred_model(folder / "models/blurred.onnx")
    with serving(folder, model=model, wrapper=NO_FILES) as found:
        yield found


def hostile_of(code: str) -> dict[str, Hostile]:
    return {name: file for name, file in hostile_files().items() if file.code == code}


def told_by(answer: Answer) -> dict[str, Any]:
    """All that a reply says of the picture itself."""
    assert answer.status == 200, answer
    told = dict(answer.json())
    for key in ("image_id", "request_id", "timings_ms"):
        del told[key]
    return told


def analyze(service: LiveService, content: bytes) -> dict[str, Any]:
    """What is said of a picture, to the bit: defects, classes and probabilities of all pixels."""
    return told_by(ask(service.port, upload(content, path="/v1/analyze?mask=png&heat=true")))


def pixels(told: dict[str, Any]) -> npt.NDArray[np.uint8]:
    """The class of each pixel (H, W)."""
    return read_png(base64.b64decode(told["mask_png"]))


@pytest.mark.parametrize("code", CODES)
def test_each_hostile_picture_gets_its_code_and_the_next_is_served(service: LiveService, code: str):
    files = hostile_of(code)
    got = {}
    for name, file in files.items():
        answer = ask(service.port, upload(file.content, name.encode("ascii", "replace")))
        got[name] = (answer.status, answer.code)
        assert_good_is_served(service.port)
    assert files
    assert got == {name: (file.status, file.code) for name, file in files.items()}


def test_the_name_and_the_type_that_a_client_gives_say_nothing(service: LiveService):
    as_png = ask(service.port, upload(b"text", b"a.png"))
    as_text = ask(service.port, upload(GOOD, b"a.exe"))
    assert (as_png.code, as_text.status) == ("UNSUPPORTED_IMAGE", 200)


def test_huge_claims_and_bombs_take_no_memory(service: LiveService):
    files = hostile_of("IMAGE_TOO_LARGE") | hostile_of("IMAGE_CORRUPT")
    assert_good_is_served(service.port)
    before = service.memory_mib("VmHWM")
    for _ in range(5):
        for file in files.values():
            assert ask(service.port, upload(file.content)).status == file.status
    grown = service.memory_mib("VmHWM") - before
    assert grown < 64, f"{grown:.0f} MiB"  # a bomb holds 80 MB, the flat picture 160 MB


def test_no_picture_leaves_a_file(service: LiveService):
    folder = f"/proc/{service.process.pid}/cwd"
    for file in hostile_files().values():
        ask(service.port, upload(file.content))
    assert sorted(path.name for path in Path(folder).rglob("*")) == ["models", "unet.onnx"]


@pytest.mark.parametrize("name", odd_files())
def test_an_odd_container_of_the_same_picture_gets_the_same_answer(service: LiveService, name: str):
    assert analyze(service, odd_files()[name]) == analyze(service, GOOD)


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_the_mask_is_in_the_upright_frame_of_a_picture_that_lies(
    service: LiveService, form: str, turn: int
):
    drawn = mask("1... .... .... .... .... ..2.", 16)  # (96, 64): blocks that a JPEG keeps
    image = Image.fromarray(paint(_as_drawing(drawn)))
    told = analyze(service, encode(lay(image, turn), form, exif=lies(turn), quality=95))
    assert (told["width"], told["height"]) == (64, 96)
    assert np.count_nonzero(pixels(told) != drawn) < 0.01 * drawn.size
    classes = [defect["defect_class"] for defect in told["defects"]]
    assert sorted(classes) == ["blowhole", "crack"]


@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0", b"Exif\0\0junk", b"Exif\0\0MM", b"<script>alert(1)</script>", b"PK\3\4" * 9],
)
def test_a_broken_exif_of_a_jpeg_is_no_failure_and_never_comes_back(
    service: LiveService, exif: bytes
):
    image = Image.fromarray(paint(" ".join(["1" * 8] * 8)))
    plain, broken = (encode(image, "JPEG", **with_it) for with_it in ({}, {"exif": exif}))
    answer = ask(service.port, upload(broken + b"PK\5\6" + bytes(18)))
    assert told_by(answer) == told_by(ask(service.port, upload(plain)))
    assert b"script" not in answer.body and b"PK" not in answer.body


def test_every_container_of_a_grey_picture_gives_the_network_the_same_pixels(network: LiveService):
    grey = draw_grain(48, 80)
    image = Image.fromarray(grey)
    deep = grey.astype(np.uint16) * np.uint16(257)
    colours = np.dstack([grey] * 3)
    files = {
        "BMP": encode(image, "BMP"),
        "TIFF": encode(image, "TIFF"),
        "16-bit PNG": encode(Image.fromarray(deep)),
        "16-bit PNG, between two levels": encode(Image.fromarray(_off_by_half(deep))),
        "16-bit TIFF": write_tiff(deep, LITTLE),
        "16-bit TIFF, big-endian": write_tiff(deep, BIG),
        "RGB": encode(Image.fromarray(colours)),
        "RGBA": encode(with_alpha(Image.fromarray(colours))),
        "LA": encode(with_alpha(image)),
        "palette": encode(image.convert("P")),
        "palette with transparency": encode(image.convert("P"), transparency=7),
        "CMYK": encode(to_cmyk(colours), "TIFF"),
        "WebP": encode(image.convert("RGB"), "WEBP", lossless=True, exact=True),
    }
    expected = analyze(network, encode(image))
    got = {name: analyze(network, content) == expected for name, content in files.items()}
    assert got == dict.fromkeys(files, True)


def test_the_orientation_of_a_grey_picture_turns_nothing_that_the_network_sees(
    network: LiveService,
):
    image = Image.fromarray(draw_grain(48, 80))
    expected = analyze(network, encode(image))
    for turn in range(1, 9):
        for form in ("PNG", "TIFF"):
            content = encode(lay(image, turn), form, exif=lies(turn))
            assert analyze(network, content) == expected, (form, turn)


def test_one_bit_is_black_and_white(dark: LiveService):
    drawn = mask("#### ##.. #... ....", 4)
    bits = Image.fromarray((1 - drawn) * np.uint8(255)).convert("1", dither=Image.Dither.NONE)
    whole = encode(bits.convert("L"))
    assert analyze(dark, encode(bits)) == analyze(dark, encode(bits, "TIFF"))
    assert analyze(dark, encode(bits)) == analyze(dark, whole)
    assert pixels(analyze(dark, whole)).tolist() == (2 * drawn).tolist()


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_a_ramp_of_16_bits_is_scaled_and_not_clipped(dark: LiveService, form: str):
    ramp = np.linspace(0, 65_535, 256).astype(np.uint16)  # column k becomes grey k
    told = analyze(dark, encode(Image.fromarray(np.tile(ramp, (8, 1))), form))
    [defect] = told["defects"]
    assert defect["box"] == [0, 0, 128, 8]  # 127 is a defect of 1 - 127/255 = 0.502, 128 is none


def test_what_makes_no_number_is_a_failure_that_is_counted_and_no_verdict(service: LiveService):
    def verdicts() -> float:
        found = service.metrics()
        return sum(v for name, v in found.items() if name.startswith("defectseg_verdicts_total"))

    no_number = np.zeros((40, 60, 3), np.uint8)
    no_number[39, 59, 2] = 255  # one pixel of 2400
    before, said = service.metric("defectseg_model_output_invalid_total"), verdicts()
    answer = ask(service.port, upload(encode(Image.fromarray(no_number))))
    assert (answer.status, answer.code) == (500, "MODEL_OUTPUT_INVALID")
    assert service.metric("defectseg_model_output_invalid_total") == before + 1
    assert verdicts() == said
    assert_good_is_served(service.port)


@pytest.mark.parametrize(("level", "verdict", "count"), [(0, "reject", 1), (255, "accept", 0)])
def test_all_black_and_all_white_get_a_verdict(
    dark: LiveService, level: int, verdict: str, count: int
):
    told = analyze(dark, encode(Image.new("L", (50, 30), level)))
    assert (told["verdict"], len(told["defects"])) == (verdict, count)
    assert bool(pixels(told).any()) == bool(count)


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("size", [(64, 64), (8, 8), (8, 800), (333, 77)])
def test_a_flat_picture_gets_a_verdict_of_the_network(
    network: LiveService, level: int, size: tuple[int, int]
):
    told = analyze(network, encode(Image.new("L", size, level)))
    assert told["verdict"] in {"accept", "review", "reject"}
    assert (told["width"], told["height"]) == size == pixels(told).shape[::-1]


def test_one_bad_picture_of_a_batch_fails_alone(service: LiveService):
    bad = hostile_files()["a PNG with a wrong checksum"].content
    answer = ask(service.port, upload_all([GOOD, bad, b"", GOOD]))
    assert answer.status == 200
    results = answer.json()["results"]
    assert [item["image_id"] for item in results] == ["0.png", "1.png", "2.png", "3.png"]
    codes = [item["error"]["code"] if "error" in item else "OK" for item in results]
    assert codes == ["OK", "IMAGE_CORRUPT", "EMPTY_FILE", "OK"]
    expected = told_by(ask(service.port, upload(GOOD)))
    for item in (results[0], results[3]):
        assert item["result"].items() >= expected.items()


def test_ten_defects_of_a_large_picture_fit_into_a_megabyte(service: LiveService):
    picture = np.zeros((1500, 2000, 3), np.uint8)
    for number in range(10):
        top, left = 140 * number, 190 * number
        picture[top : top + 120, left : left + 180, number % 2] = 255
    answer = ask(service.port, upload(encode(Image.fromarray(picture))))
    assert len(answer.json()["defects"]) == 10
    assert len(answer.body) < 1_000_000


def test_a_flat_picture_at_the_limit_is_served(service: LiveService):
    told = told_by(ask(service.port, upload(flat_png(4000, 3999), path="/v1/analyze?mask=none")))
    assert told["verdict"] == "accept"


def _as_drawing(drawn: npt.NDArray[np.uint8]) -> str:
    return " ".join("".join(str(value) for value in row) for row in drawn)


def _off_by_half(deep: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """Values that are rounded to the same level: 257 · grey ± 128."""
    sign = np.where(np.indices(deep.shape).sum(axis=0) % 2, 128, -128)
    return np.clip(deep.astype(np.int32) + sign, 0, 65_535).astype(np.uint16)
