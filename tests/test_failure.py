"""failure: every way in which a picture fails has its code, and none steers a terminal."""

import numpy as np
import pytest
from PIL import Image

from defectseg.data.picture import decode_picture
from defectseg.errors import DataError, ModelOutputError, PictureError
from defectseg.inference.stream.failure import EmptyFileError, EngineError, to_code, to_failure
from defectseg.inference.stream.picture import Picture
from picture_files import encode

GREY = Image.fromarray(np.arange(6400, dtype=np.uint8).reshape(80, 80))
PNG = encode(GREY, "PNG")
CLAIMS = bytes.fromhex("0000c350")  # 50 000 px
BROKEN = {
    "text": (b"hello", "UNSUPPORTED_IMAGE"),
    "gif": (encode(GREY, "GIF"), "UNSUPPORTED_IMAGE"),
    "magic only": (PNG[:8], "UNSUPPORTED_IMAGE"),
    "truncated": (PNG[: len(PNG) // 2], "IMAGE_CORRUPT"),
    "bad checksum": (PNG[:60] + b"\xff\xff\xff" + PNG[63:], "IMAGE_CORRUPT"),
    "several frames": (
        encode(GREY, "TIFF", save_all=True, append_images=[GREY]),
        "MULTI_FRAME",
    ),
    "float": (encode(Image.new("F", (9, 9)), "TIFF"), "BIT_DEPTH"),
    "lab": (encode(Image.new("LAB", (9, 9)), "TIFF"), "UNSUPPORTED_IMAGE"),
    "12 000 × 12 000": (encode(Image.new("1", (12_000, 12_000)), "PNG"), "IMAGE_TOO_LARGE"),
    "20 000 × 20 000": (encode(Image.new("1", (20_000, 20_000)), "PNG"), "IMAGE_TOO_LARGE"),
}


@pytest.mark.parametrize(("content", "code"), BROKEN.values(), ids=BROKEN.keys())
def test_what_the_decoder_refuses_has_a_code(content: bytes, code: str):
    with pytest.raises(DataError) as refused:
        decode_picture(content, 1)
    assert to_code(refused.value) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EmptyFileError("0 bytes"), "EMPTY_FILE"),
        (FileNotFoundError(2, "No such file"), "UNREADABLE_FILE"),
        (PermissionError(13, "Permission denied"), "UNREADABLE_FILE"),
        (ModelOutputError("NaN"), "MODEL_OUTPUT_INVALID"),
        (EngineError("out of memory"), "INFERENCE_FAILED"),
        (MemoryError(), "INFERENCE_FAILED"),
    ],
)
def test_what_else_may_go_wrong_has_a_code(error: Exception, code: str):
    assert to_code(error) == code


def test_a_fault_of_the_program_is_no_failure_of_a_picture():
    with pytest.raises(TypeError, match="KeyError"):
        to_code(KeyError("x"))


def test_a_failure_tells_the_picture_and_the_reason_without_control_characters():
    picture = Picture("a\x1b.png", "a.png")
    told = to_failure(picture, FileNotFoundError(2, "No such file", "a\x1b.png"))
    assert told == {
        "image_id": "a.png",
        "path": "a\\x1b.png",
        "error": {"code": "UNREADABLE_FILE", "message": "No such file"},
    }
    damaged = PictureError("dam\x1baged", "IMAGE_CORRUPT")
    assert to_failure(picture, damaged)["error"]["message"] == "dam\\x1baged"
