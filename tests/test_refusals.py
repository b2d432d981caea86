"""refusals: what export found out is known where the model runs."""

from pathlib import Path

import pytest

from defectseg.errors import ModelFileError
from defectseg.inference.refusals import OFFERS, read_refusals


def test_what_has_reasons_is_refused_and_the_rest_is_not(tmp_path: Path):
    (tmp_path / OFFERS).write_text(
        '{"fp32": {"openvino": []}, "int8": {"onnxruntime": [], "openvino": ["a", "b"]}}'
    )
    assert read_refusals(tmp_path) == {("openvino", "int8"): "a; b"}


def test_a_folder_without_the_file_refuses_nothing(tmp_path: Path):
    assert read_refusals(tmp_path) == {}


@pytest.mark.parametrize("content", ["", "[]", '{"int8": ["onnxruntime"]}', '{"int8": {"x": "y"}}'])
def test_a_damaged_file_is_an_error(tmp_path: Path, content: str):
    (tmp_path / OFFERS).write_text(content)
    with pytest.raises(ModelFileError, match=r"offers\.json cannot be read: 1 validation error"):
        read_refusals(tmp_path)
