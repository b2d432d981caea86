"""operating_point of inference: what it decides, and that no damaged file is taken for one."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from defectseg.errors import ModelFileError
from defectseg.inference.operating_point import (
    ClassPoint,
    OperatingPoint,
    neutral_point,
    read_point,
    write_point,
)

POINT = OperatingPoint(
    classes=(
        ClassPoint(defect_class="crack", threshold=0.35, min_area=12),
        ClassPoint(defect_class="Riß, „fein“", threshold=0.1, min_area=1),
    ),
    temperature=1 / 3,
    review=0.4,
    reject=0.7,
    rule="at most 5 % false alarms",
)
FAULTS: list[dict[str, Any]] = [
    {"classes": []},
    {"classes": [{"defect_class": "crack", "threshold": 0.5}]},
    {"classes": [{"defect_class": "crack", "threshold": -0.1, "min_area": 1}]},
    {"classes": [{"defect_class": "crack", "threshold": 1.1, "min_area": 1}]},
    {"classes": [{"defect_class": "crack", "threshold": math.nan, "min_area": 1}]},
    {"classes": [{"defect_class": "crack", "threshold": 0.5, "min_area": 0}]},
    {"classes": [{"defect_class": "crack", "threshold": 0.5, "min_area": 1.5}]},
    {"classes": [{"defect_class": "crack", "threshold": 0.5, "min_area": 1, "odds_ratio": 0}]},
    {"classes": [{"defect_class": "crack", "threshold": 0.5, "min_area": 1, "odds_ratio": 1e999}]},
    {"classes": [{"defect_class": 7, "threshold": 0.5, "min_area": 1}]},
    {"classes": [{"defect_class": "crack", "threshold": 0.5, "min_area": 1, "max_area": 9}]},
    {"temperature": 0.0},
    {"temperature": -1.0},
    {"temperature": math.inf},
    {"temperature": math.nan},
    {"review": -0.1},
    {"review": math.nan},
    {"reject": 1.1},
    {"reject": math.nan},
    {"reject": None},
    {"review": 0.8},
    {"rule": 3},
    {"threshold": 0.5},
]


def edge(level: float, side: float) -> float:
    """The next number beside a level."""
    return float(np.nextafter(level, side))


def test_a_written_point_is_read_back_to_the_last_digit(tmp_path: Path):
    write_point(tmp_path / "models/operating_point.json", POINT)
    assert read_point(tmp_path / "models/operating_point.json") == POINT


def test_a_file_ends_with_a_line_break_and_any_language_can_read_it(tmp_path: Path):
    write_point(tmp_path / "point.json", POINT)
    text = (tmp_path / "point.json").read_text("utf-8")
    assert text.endswith("}\n")
    assert json.loads(text)["classes"][1] == {
        "defect_class": "Riß, „fein“",
        "threshold": 0.1,
        "min_area": 1,
        "odds_ratio": 1.0,
    }


def test_thresholds_and_names_are_in_the_order_of_the_classes():
    assert POINT.thresholds == (0.35, 0.1)
    assert POINT.names == ("crack", "Riß, „fein“")


@pytest.mark.parametrize(
    ("score", "verdict"),
    [
        (0.0, "accept"),
        (edge(0.4, 0), "accept"),
        (0.4, "review"),
        (edge(0.7, 0), "review"),
        (0.7, "reject"),
        (1.0, "reject"),
    ],
)
def test_a_score_that_reaches_a_level_is_above_it(score: float, verdict: str):
    assert POINT.verdict(score) == verdict


def test_a_file_of_before_there_was_a_scale_scores_by_the_probability(tmp_path: Path):
    fields = POINT.model_dump()
    for each in fields["classes"]:
        del each["odds_ratio"]
    (tmp_path / "point.json").write_text(json.dumps(fields), "utf-8")
    assert read_point(tmp_path / "point.json") == POINT
    for probability in np.linspace(0, 1, 201):
        assert POINT.classes[0].score(float(probability)) == probability


def test_the_odds_of_a_probability_are_multiplied():
    crack = POINT.classes[0].model_copy(update={"odds_ratio": 4.0})
    assert [crack.score(p) for p in (0.0, 0.2, 0.5, 1.0)] == pytest.approx([0, 0.5, 0.8, 1])
    assert crack.halfway == pytest.approx(0.2)


def test_where_both_levels_are_equal_nothing_goes_to_review():
    point = POINT.model_copy(update={"review": 0.7})
    scores = (edge(0.7, 0), 0.7, edge(0.7, 1))
    assert [point.verdict(score) for score in scores] == ["accept", "reject", "reject"]


def test_levels_may_be_equal_but_review_not_above_reject():
    fields = POINT.model_dump()
    assert OperatingPoint.model_validate(fields | {"review": 0.7}).review == 0.7
    with pytest.raises(ValidationError, match=r"review 0\.71 is above reject 0\.7"):
        OperatingPoint.model_validate(fields | {"review": 0.71})


def test_a_point_cannot_be_changed_by_accident():
    with pytest.raises(ValidationError, match="frozen"):
        POINT.reject = 0.1
    with pytest.raises(ValidationError, match="frozen"):
        POINT.classes[0].threshold = 0.1


def test_the_neutral_point_flags_every_pixel_that_is_likelier_a_defect_than_not():
    point = neutral_point(["crack", "fray"])
    assert point.names == ("crack", "fray")
    assert point.thresholds == (0.5, 0.5)
    assert [each.min_area for each in point.classes] == [1, 1]
    assert (point.temperature, point.review, point.reject) == (1.0, 0.5, 0.5)


def test_there_is_no_point_without_classes():
    with pytest.raises(ValidationError, match="at least 1 item"):
        neutral_point([])


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_file_with_a_fault_is_refused_by_name(fault: dict[str, Any], tmp_path: Path):
    path = tmp_path / "point.json"
    path.write_text(json.dumps(POINT.model_dump() | fault), "utf-8")
    named = "review" if fault == {"review": 0.8} else next(iter(fault))
    with pytest.raises(ModelFileError, match=rf"(?s)point\.json is no .*{named}.*evaluate first"):
        read_point(path)


@pytest.mark.parametrize("missing", POINT.model_dump())
def test_a_file_without_one_of_its_keys_is_refused(missing: str, tmp_path: Path):
    path = tmp_path / "point.json"
    fields = {name: value for name, value in POINT.model_dump().items() if name != missing}
    path.write_text(json.dumps(fields), "utf-8")
    with pytest.raises(ModelFileError, match=rf"(?s){missing}.*Field required"):
        read_point(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe{}", b"\0" * 50, b"[" * 100_000, b'{"classes": ' * 500],
    ids=["empty", "cut", "list", "null", "no text", "zeros", "deep list", "deep object"],
)
def test_what_is_no_json_object_is_refused(content: bytes, tmp_path: Path):
    path = tmp_path / "point.json"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="no operating point of this version"):
        read_point(path)


def test_a_missing_file_is_refused_with_what_to_do(tmp_path: Path):
    with pytest.raises(ModelFileError, match="run the stage evaluate first"):
        read_point(tmp_path / "nowhere.json")
    with pytest.raises(ModelFileError, match="run the stage evaluate first"):
        read_point(tmp_path)  # a folder
