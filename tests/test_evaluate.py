"""evaluate: known answers in, and in every file that is written the numbers worked out by hand."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from answers import Answer, ColourEngine, colour_model, write_answers
from defectseg.data.split import Split
from defectseg.data.tile import CLEAN, TileSet
from defectseg.errors import DataError, ParamsError
from defectseg.evaluation.evaluate import EvaluateParams, evaluate_model
from defectseg.evaluation.outputs import Outputs
from defectseg.evaluation.rule import Costs, RuleParams
from defectseg.inference.operating_point import read_point

RULE = RuleParams(costs=Costs(escape=1, false_alarm=1))
PARAMS = EvaluateParams(operating_point=RULE, gates={"iou_macro": 0.5}, bootstrap=100, gallery=2)
MODEL = colour_model()
VALID = (
    Answer("v1", "crack", "s1", truth="11..", said="11..", grey=204),  # 0.8
    Answer("v2", "blowhole", "s2", truth="22..", said="22..", grey=204),
    Answer("v3", CLEAN, "s3", truth="....", said="1...", grey=102),  # 0.4
)
TEST = (
    Answer("a", "crack", "s4", truth="11..", said="1.1."),  # tp 1, fp 1, fn 1
    Answer("b", "blowhole", "s5", truth="22..", said="22..", grey=204),  # tp 2, at 0.8
    Answer("c", CLEAN, "s6", truth="....", said="...."),
    Answer("d", CLEAN, "s6", truth="....", said="2...", grey=179),  # fp 1, at 0.702
    Answer("e", "crack", "s7", truth="...1", said="....", grey=0),  # fn 1: escapes
)
TRAINING = {"train_loss": (0.9, 0.5), "valid_dice": (0.1, 0.6)}


@pytest.fixture
def tiles(tmp_path: Path) -> TileSet:
    return write_answers(tmp_path / "tiles", [*VALID, *TEST])


@pytest.fixture
def split(tiles: TileSet) -> Split:
    return Split({t.id: "valid" if t.id.startswith("v") else "test" for t in tiles.tiles})


@pytest.fixture
def outputs(tmp_path: Path) -> Outputs:
    metrics = tmp_path / "metrics"
    return Outputs(
        tmp_path / "models/operating_point.json",
        metrics / "evaluate.json",
        metrics / "per_image.csv",
        metrics / "plots",
        metrics / "gallery.png",
        metrics / "report",
        tmp_path / "docs/model_card.md",
        metrics / "gates.json",
    )


def evaluate(tiles: TileSet, split: Split, outputs: Outputs, **changes: Any) -> dict[str, Any]:
    params = PARAMS.model_copy(update=changes)
    return evaluate_model(ColourEngine(), MODEL, tiles, split, params, 0, TRAINING, outputs)


@pytest.fixture
def evaluated(tiles: TileSet, split: Split, outputs: Outputs) -> Outputs:
    evaluate(tiles, split, outputs)
    return outputs


def rows(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_the_metrics_are_those_of_the_test_part(evaluated: Outputs):
    scores = json.loads(evaluated.metrics.read_text())
    told = {"interval", "valid", "operating_point", "gates", "ece"}
    assert {name: value for name, value in scores.items() if name not in told} == {
        "pictures": 5,
        "surfaces": 4,
        "dice_pooled": 0.6,  # tp 3, fp 2, fn 2
        "iou_pooled": 0.428571,
        "dice_per_image_mean": 0.375,  # 1/2, 1, none, 0, 0
        "precision_pooled": 0.6,
        "recall_pooled": 0.6,
        "pixel_accuracy": 0.8,  # 16 of 20
        "iou_macro": 0.458333,
        "iou_crack": 0.25,
        "iou_blowhole": 0.666667,
        "image_auroc": 0.75,  # 1 and 0.8 are above both clean, 0 below one and equal to the other
        "image_average_precision": 0.866667,  # 1, 1 and 3/5
        "escape_rate": 0.333333,
        "escape_rate_crack": 0.5,
        "escape_rate_blowhole": 0.0,
        "false_alarm_rate": 0.5,
        "review_rate": 0.0,
        "defects_found_iou30": 0.666667,
        "defects_found_iou50": 0.666667,
        "false_regions_per_picture": 0.4,
    }


def test_the_operating_point_is_chosen_on_valid_alone(evaluated: Outputs):
    point = read_point(evaluated.point)
    assert point.reject == pytest.approx((0.8 + 0.35) / 2)  # 0.4 reaches the level 0.35
    assert point.thresholds == (0.5, 0.5)
    scores = json.loads(evaluated.metrics.read_text())
    assert scores["operating_point"] == point.model_dump(mode="json")
    assert scores["valid"]["pictures"] == 3
    assert (scores["valid"]["escape_rate"], scores["valid"]["false_alarm_rate"]) == (0, 0)


def test_the_test_part_has_no_say_in_the_operating_point(
    tiles: TileSet, split: Split, outputs: Outputs, tmp_path: Path
):
    evaluate(tiles, split, outputs)
    other = write_answers(tmp_path / "other", [*VALID, TEST[0], replace(TEST[2], id="b")])
    fewer = Split({t.id: split.parts[t.id] for t in other.tiles})
    elsewhere = replace(outputs, point=tmp_path / "other.json")
    evaluate(other, fewer, elsewhere)
    assert elsewhere.point.read_bytes() == outputs.point.read_bytes()


def test_a_gate_that_fails_is_written_down(evaluated: Outputs):
    (gate,) = json.loads(evaluated.metrics.read_text())["gates"]
    assert gate == {
        "metric": "iou_macro",
        "limit": 0.5,
        "is_floor": True,
        "value": 0.458333,
        "passed": False,
    }
    assert json.loads(evaluated.gates.read_text()) == {"gates": [gate]}
    page = (evaluated.report / "index.html").read_text(encoding="utf-8")
    assert "iou_macro" in page


def test_a_gate_for_something_else_is_refused_and_nothing_written(
    tiles: TileSet, split: Split, outputs: Outputs
):
    with pytest.raises(ParamsError, match=r"evaluate\.gates: no such score: iou_makro; the scores"):
        evaluate(tiles, split, outputs, gates={"iou_makro": 0.5})
    assert not outputs.metrics.exists()
    assert not outputs.point.exists()


def test_every_picture_has_a_row_with_its_pixels_its_score_and_its_verdict(evaluated: Outputs):
    header, *found = [row.split(",") for row in rows(evaluated.per_image)]
    assert header[:3] + header[4:10] == [
        *("id", "class", "surface", "tp", "fp", "fn", "score", "verdict", "said")
    ]
    assert [" ".join(row[:3] + row[4:7] + row[8:10]) for row in found] == [
        "a crack s4 1 1 1 reject crack",
        "b blowhole s5 2 0 0 reject blowhole",
        "c clean s6 0 0 0 accept clean",
        "d clean s6 0 1 0 reject blowhole",
        "e crack s7 0 0 1 accept clean",
    ]
    assert [round(float(row[7]), 6) for row in found] == [1.0, 0.8, 0.0, 0.701961, 0.0]
    # The confusion counts are those of tp, fp and fn, whatever the class.
    for row in found:
        counts = np.array(row[-1].split(), dtype=int).reshape(3, 3)
        pixels = [counts[1:, 1:].sum(), counts[0, 1:].sum(), counts[1:, 0].sum()]
        assert pixels == [int(count) for count in row[4:7]]


def test_the_plots_are_written(evaluated: Outputs):
    plots = evaluated.plots
    assert rows(plots / "confusion.csv")[1:4] == ["crack,crack", "blowhole,blowhole", "clean,clean"]
    curve = rows(plots / "precision_recall.csv")
    assert curve[:2] == ["threshold,recall,precision", "0.000000,1.000000,0.250000"]  # 5 of 20 px
    assert rows(plots / "iou.csv") == ["class,iou", "crack,0.25", "blowhole,0.666667"]
    assert {row.split(",")[0] for row in rows(plots / "escapes.csv")} == {"part", "valid", "test"}
    assert rows(plots / "slices.csv")[1].startswith("class,crack,2,2,2,0.5,")


def test_the_gallery_shows_the_defect_pictures(evaluated: Outputs):
    with Image.open(evaluated.gallery) as gallery:
        # best, median and worst of two pictures each: six panels in three rows of two
        assert gallery.size == (1488, 3 * (60 + 16 + 6))  # 4 × 1 px grow to 240 × 60


def test_the_model_card_has_the_same_numbers(evaluated: Outputs):
    card = evaluated.model_card.read_text(encoding="utf-8")
    assert "0.458" in card


def test_the_same_answers_write_the_same_bytes(tiles: TileSet, split: Split, evaluated: Outputs):
    folder = evaluated.metrics.parents[1]
    written = [folder / "metrics", folder / "models", folder / "docs"]
    files = sorted(path for root in written for path in root.rglob("*") if path.is_file())
    before = [path.read_bytes() for path in files]
    evaluate(tiles, split, evaluated)
    assert len(files) == 13
    assert [path.read_bytes() for path in files] == before


def test_a_model_of_other_classes_is_refused(tiles: TileSet, split: Split, outputs: Outputs):
    other = MODEL.model_copy(update={"classes": ("blowhole", "crack")})
    message = (
        r"knows the classes \['blowhole', 'crack'\], the tiles have \['crack', 'blowhole'\]; "
        "run train again"
    )
    with pytest.raises(DataError, match=message):
        evaluate_model(ColourEngine(), other, tiles, split, PARAMS, 0, TRAINING, outputs)
    assert not outputs.metrics.exists()


def test_a_test_part_without_a_defect_is_scored_as_far_as_it_goes(tmp_path: Path, outputs: Outputs):
    tiles = write_answers(tmp_path / "clean", [*VALID, TEST[2]])
    split = Split({t.id: "valid" if t.id.startswith("v") else "test" for t in tiles.tiles})
    scores = evaluate(tiles, split, outputs, gates={"escape_rate": 0.1})
    assert (scores["dice_pooled"], scores["false_alarm_rate"]) == (None, 0)
    assert scores["gates"][0]["passed"] is False  # nothing is known about escapes
    assert rows(outputs.plots / "precision_recall.csv") == ["threshold,recall,precision"]
    assert rows(outputs.plots / "iou.csv") == ["class,iou", "crack,", "blowhole,"]
    assert outputs.gallery.exists()


def test_a_valid_part_without_a_defect_decides_by_a_half(tmp_path: Path, outputs: Outputs):
    tiles = write_answers(tmp_path / "clean", [VALID[2], *TEST])
    split = Split({t.id: "valid" if t.id.startswith("v") else "test" for t in tiles.tiles})
    evaluate(tiles, split, outputs)
    assert read_point(outputs.point).reject == 0.5
