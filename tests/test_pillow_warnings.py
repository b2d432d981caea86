"""pillow_warnings: strict in every thread, and afterwards everything is as it was."""

import io
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from defectseg.data.picture import decode_picture
from defectseg.data.pillow_warnings import WARNINGS, PillowWarnings
from defectseg.errors import PictureError
from picture_files import encode

PNG = encode(Image.fromarray(np.arange(6400, dtype=np.uint8).reshape(80, 80)), "PNG")


def warn_as(module: str) -> None:
    warnings.warn_explicit("odd", UserWarning, f"{module}.py", 1, module=module)


def test_a_warning_of_pillow_is_an_error_inside_and_of_others_is_not():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with WARNINGS:
            with pytest.raises(UserWarning, match="odd"):
                warn_as("PIL.TiffImagePlugin")
            warn_as("torch.nn")
        warn_as("PIL.TiffImagePlugin")


def test_a_context_within_another_stays_strict_until_the_last_is_left():
    strict = PillowWarnings()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with strict:
            with strict:
                pass
            with pytest.raises(UserWarning):
                warn_as("PIL.Image")


def test_the_filters_are_as_they_were_after_an_error():
    before = list(warnings.filters)
    with pytest.raises(KeyError), WARNINGS:
        raise KeyError("x")
    assert warnings.filters == before


def test_many_threads_that_decode_leave_no_filter_behind():
    before = list(warnings.filters)
    broken = PNG[: len(PNG) // 2]

    def decode(number: int) -> bool:
        try:
            decode_picture(broken if number % 3 == 0 else PNG, 1)
        except PictureError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        fine = list(pool.map(decode, range(600)))
    assert fine == [number % 3 != 0 for number in range(600)]
    assert warnings.filters == before


def test_a_picture_above_pillows_own_limit_is_no_warning(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 6000)
    with WARNINGS:
        assert Image.open(io.BytesIO(PNG)).size == (80, 80)
