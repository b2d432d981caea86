"""writers/coco_file: what pycocotools reads, pixel for pixel."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pycocotools.coco import COCO

from conftest import mask
from defectseg.inference.operating_point import neutral_point
from defectseg.inference.predictor import judge
from defectseg.inference.result import to_result
from defectseg.inference.writers.coco_file import write_coco

CLASSES = ("crack", "blowhole")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def record(name: str, drawn: npt.NDArray[np.uint8], scores: Any = 0.75) -> dict[str, Any]:
    """The record of a picture in which the model sees what is drawn, with a score a pixel."""
    probability = np.zeros((3, *drawn.shape), np.float32)
    for k in (1, 2):
        probability[k] = (drawn == k) * scores
    probability[0] = 1 - probability[1:].sum(axis=0)
    found = judge(probability, drawn, neutral_point(CLASSES))
    model: Any = {"version": "", "sha256": ""}
    return {"path": name, **to_result(name, found, CLASSES, model, {})}


def write(folder: Path, *records: dict[str, Any], classes: tuple[str, ...] = CLASSES) -> COCO:
    write_coco(folder / "coco.json", classes, records)
    return COCO(folder / "coco.json")


def test_every_defect_is_an_annotation_with_its_pixels_class_and_score(tmp_path: Path):
    drawn = mask("##..2 ....2 ##..2")
    scores = np.where(np.arange(3)[:, None] == 2, 0.5, 0.75).astype(np.float32)
    coco = write(tmp_path, record("a.png", drawn, scores))
    told = [
        (each["category_id"], each["bbox"], each["area"], each["score"], each["iscrowd"])
        for each in coco.anns.values()
    ]
    assert told == [
        (1, [0, 0, 2, 1], 2, 0.75, 0),
        (1, [0, 2, 2, 1], 2, 0.5, 0),
        (2, [4, 0, 1, 3], 3, 0.75, 0),
    ]
    pixels = sum(each["category_id"] * coco.annToMask(each) for each in coco.anns.values())
    assert (pixels == drawn).all()


def test_regions_of_one_class_and_size_are_annotations_of_their_own(tmp_path: Path):
    coco = write(tmp_path, record("a.png", mask("#...# ..... #...#")))
    boxes = [each["bbox"] for each in coco.anns.values()]
    assert boxes == [[0, 0, 1, 1], [4, 0, 1, 1], [0, 2, 1, 1], [4, 2, 1, 1]]


def test_pictures_have_their_path_size_and_verdict_and_failures_are_left_out(tmp_path: Path):
    failure = {"path": "b.png", "error": {"code": "EMPTY_FILE", "message": ""}}
    clean = record("c.png", mask(". ."))
    coco = write(tmp_path, record("a.png", mask("#..")), failure, clean)
    assert list(coco.imgs.values()) == [
        {"id": 1, "file_name": "a.png", "width": 3, "height": 1, "verdict": "reject"},
        {"id": 2, "file_name": "c.png", "width": 1, "height": 2, "verdict": "accept"},
    ]
    assert [each["image_id"] for each in coco.anns.values()] == [1]


def test_classes_keep_their_numbers_and_those_of_another_model_come_after(tmp_path: Path):
    other = record("a.png", mask("#.2"))
    coco = write(tmp_path, other, classes=("dent", "blowhole"))
    assert {each["id"]: each["name"] for each in coco.cats.values()} == {
        1: "dent",
        2: "blowhole",
        3: "crack",
    }
    assert [each["category_id"] for each in coco.anns.values()] == [3, 2]


def test_without_pictures_it_is_an_empty_data_set(tmp_path: Path):
    coco = write(tmp_path)
    assert (coco.imgs, coco.anns, len(coco.cats)) == ({}, {}, 2)


def test_a_list_of_defects_that_is_not_that_of_the_mask_is_refused(tmp_path: Path):
    wrong = record("a.png", mask("##."))
    wrong["defects"][0]["area_px"] = 5
    with pytest.raises(ValueError, match=r"a region of 2 px in .* is no defect of the list"):
        write(tmp_path, wrong)
    assert list(tmp_path.iterdir()) == []
