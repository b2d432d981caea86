"""params: one section of params.yaml, checked as a whole."""

from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from defectseg.errors import ParamsError
from defectseg.params import PARAMS, Section, read_params


class Schedule(Section):
    """A section of three settings."""

    epochs: int = Field(ge=1)
    rate: float = Field(gt=0)
    name: str


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "params.yaml"


def test_a_section_is_read_into_its_own_type(path: Path):
    path.write_text("train:\n  epochs: 3\n  rate: 1.0e-3\n  name: quick\nother: 1\n")
    expected = Schedule(epochs=3, rate=0.001, name="quick")
    assert read_params("train", Schedule, path) == expected


def test_every_fault_of_a_section_stands_in_one_message(path: Path):
    path.write_text("train:\n  epochs: 0\n  rate: fast\n  nam: quick\n")
    with pytest.raises(ParamsError) as caught:
        read_params("train", Schedule, path)
    assert str(caught.value) == (
        f"{path}: train.epochs: Input should be greater than or equal to 1 (got 0); "
        "train.rate: Input should be a valid number, unable to parse string as a number "
        "(got 'fast'); train.name: Field required; train.nam: Extra inputs are not permitted"
    )


def test_a_fault_in_a_nested_section_has_its_whole_name(path: Path):
    class Outer(Section):
        inner: Schedule

    path.write_text("train:\n  inner: {epochs: -1, rate: 1, name: a}\n")
    with pytest.raises(ParamsError, match=r"train\.inner\.epochs: Input should be greater"):
        read_params("train", Outer, path)


@pytest.mark.parametrize("number", [".inf", ".nan"])
def test_a_number_without_end_is_no_setting(path: Path, number: str):
    path.write_text(f"train: {{epochs: 1, rate: {number}, name: a}}\n")
    with pytest.raises(ParamsError, match=r"train\.rate: Input should be a finite number"):
        read_params("train", Schedule, path)


def test_an_unknown_section_is_answered_with_those_that_are_there(path: Path):
    path.write_text("train: {}\nexport: {}\n")
    with pytest.raises(ParamsError, match="no section 'trian'; sections found: train, export"):
        read_params("trian", Schedule, path)


@pytest.mark.parametrize("content", ["", "- train\n", "train\n"])
def test_a_file_without_sections_says_so(path: Path, content: str):
    path.write_text(content)
    with pytest.raises(ParamsError, match="no section 'train'; sections found: none"):
        read_params("train", Schedule, path)


@pytest.mark.parametrize("content", [b"train: {epochs: 1\n", b"train: \xff\n", b"train: [1\n"])
def test_what_is_no_yaml_is_refused(path: Path, content: bytes):
    path.write_bytes(content)
    with pytest.raises(ParamsError, match="cannot be read as YAML"):
        read_params("train", Schedule, path)


def test_a_missing_file_is_named(path: Path):
    with pytest.raises(ParamsError, match=r"params\.yaml cannot be read as YAML: .*No such file"):
        read_params("train", Schedule, path)


def test_a_section_cannot_be_changed_after_it_was_checked():
    schedule = Schedule(epochs=1, rate=1.0, name="a")
    with pytest.raises(ValidationError, match="frozen"):
        schedule.epochs = 0


def test_by_default_params_come_from_the_folder_that_the_stage_runs_in():
    assert Path("params.yaml") == PARAMS
