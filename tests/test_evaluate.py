"""evaluate: known answers in, and in every file that is written the numbers worked out by hand."""

import json
from pathlib import Path

import pytest
from PIL import Image

from answers import Answer, ColourEngine, colour_model, paint, write_answers
from conftest import save_array
from defectseg.data.tile import CLEAN, TileSet
from defectseg.errors import DataError
from defectseg.evaluation.evaluate import EvaluateParams, Outputs, evaluate_model, score_pictures

PARAMS = EvaluateParams(bootstrap=100, gallery=2)
MODEL = colour_model(threshold=0.5, picture_threshold=0.6)
ANSWERS = (
    Answer("a", "crack", "s1", truth="11..", said="1.1."),  # tp 1, fp 1, fn 1
    Answer("b", "blowhole", "s2", truth="22..", said="22..", grey=204),  # tp 2, at 0.8
    Answer("c", CLEAN, "s3", truth="....", said="...."),
    Answer("d", CLEAN, "s3", truth="....", said="2...", grey=128),  # fp 1, at 0.502
)


@pytest.fixture
def tiles(tmp_path: Path) -> TileSet:
    return write_answers(tmp_path / "tiles", ANSWERS)


@pytest.fixture
def outputs(tmp_path: Path) -> Outputs:
    metrics = tmp_path / "metrics"
    return Outputs(
        metrics / "evaluate.json",
        metrics / "per_image.csv",
        metrics / "plots",
        metrics / "gallery.png",
    )


@pytest.fixture
def evaluated(tiles: TileSet, outputs: Outputs) -> Outputs:
    evaluate_model(ColourEngine(), MODEL, tiles, PARAMS, 0, outputs)
    return outputs


def rows(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_the_metrics_are_those_of_the_masks(evaluated: Outputs):
    scores = json.loads(evaluated.metrics.read_text())
    del scores["interval"]
    assert scores == {
        "pictures": 4,
        "surfaces": 3,
        "dice_pooled": 0.666667,  # tp 3, fp 2, fn 1
        "iou_pooled": 0.5,
        "dice_per_image_mean": 0.5,  # 1/2, 1, none, 0
        "precision_pooled": 0.6,
        "recall_pooled": 0.75,
        "pixel_accuracy": 0.8125,  # 13 of 16
        "iou_macro": 0.5,
        "iou_crack": 0.333333,
        "iou_blowhole": 0.666667,
        "image_auroc": 1.0,
        "image_average_precision": 1.0,
        "false_alarm_rate": 0.0,
        "missed_defect_rate": 0.0,
        "threshold": 0.5,
        "picture_threshold": 0.6,
    }


def test_every_picture_has_a_row_with_its_pixels_and_its_score(evaluated: Outputs):
    assert rows(evaluated.per_image) == [
        "id,class,surface,tp,fp,fn,score",
        "a,crack,s1,1,1,1,1.000000",
        "b,blowhole,s2,2,0,0,0.800000",
        "c,clean,s3,0,0,0,0.000000",
        "d,clean,s3,0,1,0,0.501961",
    ]


def test_the_plot_of_pictures_says_clean_below_the_picture_threshold(evaluated: Outputs):
    assert rows(evaluated.plots / "confusion.csv") == [
        "actual,predicted",
        "crack,crack",
        "blowhole,blowhole",
        "clean,clean",
        "clean,clean",
    ]


def test_a_flagged_picture_is_called_by_the_class_of_its_most_suspicious_pixel(tiles: TileSet):
    pictures, _ = score_pictures(ColourEngine(), MODEL, tiles)
    assert [picture.top_class for picture in pictures][:2] == ["crack", "blowhole"]
    assert pictures[3].top_class == "blowhole"


def test_the_most_suspicious_pixel_is_where_a_defect_is_likeliest(tmp_path: Path):
    answer = Answer("a", "blowhole", "s1", truth="..2.", said="1.2.")
    tiles = write_answers(tmp_path, [answer])
    picture = paint(answer)
    picture[0, 0] = (0, 51, 0)  # the crack at 0.2, before the blowhole at 1
    save_array(tmp_path / "a.png", picture)
    pictures, _ = score_pictures(ColourEngine(), MODEL, tiles)
    assert [scored.top_class for scored in pictures] == ["blowhole"]


def test_the_plot_of_the_threshold_has_precision_and_recall_at_each(evaluated: Outputs):
    curve = rows(evaluated.plots / "precision_recall.csv")
    assert curve[:2] == ["threshold,recall,precision", "0.000000,1.000000,0.250000"]  # 4 of 16 px
    assert "0.400000,0.750000,0.600000" in curve  # tp 3, fp 2, fn 1
    assert "0.600000,0.750000,0.750000" in curve  # the false alarm of d is gone
    assert curve[-1] == "0.990000,0.250000,0.500000"  # only a is left
    assert len(curve) == 1 + 100


def test_the_plot_of_classes_has_the_iou_of_each(evaluated: Outputs):
    assert rows(evaluated.plots / "iou.csv") == [
        "class,iou",
        "crack,0.333333",
        "blowhole,0.666667",
    ]


def test_the_gallery_shows_the_defect_pictures(evaluated: Outputs):
    with Image.open(evaluated.gallery) as gallery:
        # best, median and worst of two pictures each: six panels in three rows of two
        assert gallery.size == (1488, 3 * (60 + 16 + 6))  # 4 × 1 px grow to 240 × 60


def test_the_same_answers_write_the_same_bytes(tiles: TileSet, evaluated: Outputs):
    folder = evaluated.metrics.parent
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    before = [path.read_bytes() for path in files]
    evaluate_model(ColourEngine(), MODEL, tiles, PARAMS, 0, evaluated)
    assert [path.name for path in files] == [
        "evaluate.json",
        "gallery.png",
        "per_image.csv",
        "confusion.csv",
        "iou.csv",
        "precision_recall.csv",
    ]
    assert [path.read_bytes() for path in files] == before


def test_a_model_of_other_classes_is_refused(tiles: TileSet, outputs: Outputs):
    other = MODEL.model_copy(update={"classes": ("blowhole", "crack")})
    message = (
        r"knows the classes \['blowhole', 'crack'\], the tiles have \['crack', 'blowhole'\]; "
        "run train again"
    )
    with pytest.raises(DataError, match=message):
        evaluate_model(ColourEngine(), other, tiles, PARAMS, 0, outputs)
    assert not outputs.metrics.exists()


def test_a_test_part_without_a_defect_is_scored_as_far_as_it_goes(tmp_path: Path, outputs: Outputs):
    clean = write_answers(tmp_path / "clean", ANSWERS[2:3])
    evaluate_model(ColourEngine(), MODEL, clean, PARAMS, 0, outputs)
    scores = json.loads(outputs.metrics.read_text())
    assert (scores["dice_pooled"], scores["false_alarm_rate"]) == (None, 0)
    assert rows(outputs.plots / "precision_recall.csv") == ["threshold,recall,precision"]
    assert rows(outputs.plots / "iou.csv") == ["class,iou", "crack,", "blowhole,"]
    assert outputs.gallery.exists()
