"""The failure codes: what the contract says of each, and that the code raises no other."""

import ast
import re
from pathlib import Path

import pytest

from defectseg.errors import PictureError
from defectseg.service.codes import CODES, Failure, to_envelope

SERVICE = Path(__file__).parents[1] / "src/defectseg/service"
PICTURE = SERVICE.parent / "data/picture.py"
STATUSES = {
    400: {"BAD_REQUEST", "BAD_MULTIPART", "TOO_MANY_PARTS", "DUPLICATE_FILE"},
    401: {"UNAUTHORIZED"},
    404: {"NOT_FOUND"},
    405: {"METHOD_NOT_ALLOWED"},
    408: {"REQUEST_TIMEOUT"},
    413: {"PAYLOAD_TOO_LARGE", "IMAGE_TOO_LARGE"},
    415: {"UNSUPPORTED_MEDIA_TYPE", "UNSUPPORTED_IMAGE"},
    422: {
        *("FILE_REQUIRED", "BAD_PARAMETER", "EMPTY_FILE", "IMAGE_CORRUPT", "IMAGE_DIMENSIONS"),
        *("MULTI_FRAME", "BIT_DEPTH", "MODEL_REJECTED"),
    },
    431: {"HEADERS_TOO_LARGE"},
    500: {"MODEL_OUTPUT_INVALID", "INFERENCE_FAILED", "INTERNAL"},
    503: {"QUEUE_FULL", "DRAINING", "NOT_READY"},
    504: {"DEADLINE_EXCEEDED"},
}
RETRYABLE = {
    *("REQUEST_TIMEOUT", "INFERENCE_FAILED", "INTERNAL", "QUEUE_FULL", "DRAINING", "NOT_READY"),
    "DEADLINE_EXCEEDED",
}
LOOKS_LIKE_A_CODE = re.compile(r"[A-Z]{3,}(_[A-Z]+)*")
OTHERS = {"CLIENT_GONE"}  # of the metrics alone: nobody is there to be told


def strings_of(path: Path) -> set[str]:
    """Every literal text of a module that looks like a code."""
    return {
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and LOOKS_LIKE_A_CODE.fullmatch(node.value)
    }


def raised_in(path: Path) -> set[str]:
    """The codes of `Failure(…)` and `PictureError(…, …)` in a module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Failure" and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant):
                found.add(first.value)
    return found


def test_codes_have_the_statuses_of_the_contract():
    assert {code: known.status for code, known in CODES.items()} == {
        code: status for status, codes in STATUSES.items() for code in codes
    }


def test_exactly_those_are_worth_another_try_that_may_then_succeed():
    assert {code for code, known in CODES.items() if known.retryable} == RETRYABLE


def test_every_code_that_a_module_raises_is_known():
    raised = set().union(*(raised_in(path) for path in SERVICE.glob("*.py")))
    assert len(raised) > 15  # else nothing was found
    assert raised <= set(CODES)


def test_every_code_is_raised_somewhere_beside_its_definition():
    used = set().union(
        *(
            strings_of(path)
            for path in SERVICE.glob("*.py")
            if path.stem not in {"codes", "schemas"}
        ),
        strings_of(PICTURE),
    )
    assert set(CODES) - used == set()


def test_codes_of_pictures_that_the_decoder_raises_are_known():
    found = strings_of(PICTURE) & {
        *("UNSUPPORTED_IMAGE", "IMAGE_CORRUPT", "BIT_DEPTH", "IMAGE_TOO_LARGE", "MULTI_FRAME")
    }
    assert len(found) == 5
    assert found <= set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_message_says_what_came_or_what_to_do_in_one_short_sentence(code: str):
    message = CODES[code].message
    assert 20 <= len(message) <= 100
    assert not message.endswith(".")
    assert "/" not in re.sub(r"multipart/form-data|/docs|HTTP/1.1|/v1/analyze/batch", "", message)


def test_the_envelope_has_what_the_contract_says():
    failure = Failure("QUEUE_FULL")
    assert to_envelope(failure, "r1") == {
        "error": {
            "code": "QUEUE_FULL",
            "message": "all places are taken; send it again a little later",
            "request_id": "r1",
            "retryable": True,
        }
    }
    assert failure.status == 503


def test_a_message_of_its_own_takes_the_place_of_the_usual_one():
    assert Failure("EMPTY_FILE", "nothing came").message == "nothing came"
    assert str(Failure("EMPTY_FILE", "nothing came")) == "EMPTY_FILE: nothing came"


def test_an_unknown_code_is_a_programmers_mistake():
    with pytest.raises(KeyError):
        Failure("NO_SUCH_CODE")


def test_what_pillow_says_about_a_picture_is_told_to_nobody():
    failure = Failure.of(PictureError("damaged: /secret/path <script>", "IMAGE_CORRUPT"))
    assert (failure.code, failure.message) == ("IMAGE_CORRUPT", CODES["IMAGE_CORRUPT"].message)
