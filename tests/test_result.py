"""result: what is told about a picture, number by number."""

import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from conftest import mask
from defectseg.inference.operating_point import neutral_point
from defectseg.inference.predictor import Prediction, judge
from defectseg.inference.result import ModelResult, to_result, to_significant

CLASSES = ("crack", "blowhole")
MODEL: ModelResult = {"version": "0.1.0", "sha256": "5" * 64}
DRAWN = mask("##..2 ##... .....")  # 3 × 5


def predict_drawn(score: float = 0.75) -> Prediction:
    """A crack of 4 pixels and a blowhole of one, as sure as asked."""
    probability = np.zeros((3, *DRAWN.shape), np.float32)
    for k in (1, 2):
        probability[k][k == DRAWN] = score
    probability[0] = 1 - probability[1:].sum(axis=0)
    return judge(probability, DRAWN, neutral_point(CLASSES))


def test_a_result_tells_size_verdict_defects_model_and_times():
    told = to_result("a/b.jpg", predict_drawn(), CLASSES, MODEL, {"read": 1.2345, "infer": 30})
    assert told["image_id"] == "a/b.jpg"
    assert (told["width"], told["height"], told["verdict"]) == (5, 3, "reject")
    assert told["model"] == MODEL
    assert told["timings_ms"] == {"read": 1.23, "infer": 30.0}
    assert told["defects"] == [
        {
            "defect_class": "crack",
            "score": 0.75,
            "box": [0, 0, 2, 2],
            "centroid": [1.0, 1.0],
            "area_px": 4,
            "area_fraction": 0.266667,  # 4 of 15
        },
        {
            "defect_class": "blowhole",
            "score": 0.75,
            "box": [4, 0, 5, 1],
            "centroid": [4.5, 0.5],
            "area_px": 1,
            "area_fraction": 0.0666667,
        },
    ]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
def test_the_mask_of_each_class_is_read_by_pycocotools():
    told = to_result("a", predict_drawn(), CLASSES, MODEL, {})
    assert list(told["mask"]) == ["crack", "blowhole"]
    for k, name in enumerate(CLASSES, start=1):
        assert told["mask"][name]["size"] == [3, 5]
        assert (coco_mask.decode(told["mask"][name]) == (k == DRAWN)).all()


def test_a_picture_without_a_defect_has_empty_lists_and_is_accepted():
    told = to_result("a", predict_drawn(score=0.4), CLASSES, MODEL, {})
    assert (told["verdict"], told["defects"], told["mask"]) == ("accept", [], {})


def test_an_area_in_mm2_is_told_only_where_the_size_of_a_pixel_is_known():
    told = to_result("a", predict_drawn(), CLASSES, MODEL, {}, mm_per_pixel=0.05)
    assert [defect["area_mm2"] for defect in told["defects"]] == [0.01, 0.0025]


def test_a_result_is_json_without_any_numpy_in_it():
    told = to_result("a", predict_drawn(), CLASSES, MODEL, {"read": float(np.float64(1))}, 0.1)
    assert json.loads(json.dumps(told, allow_nan=False)) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [(1 / 12_000_000, 8.33333e-08), (0.5, 0.5), (123456.7, 123457.0), (1.0, 1.0)],
)
def test_small_fractions_keep_six_digits(value: float, told: float):
    assert to_significant(value) == told
