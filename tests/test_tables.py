"""tables: the CSV files that people and dvc read, line by line."""

from pathlib import Path

import numpy as np

from conftest import mask
from defectseg.evaluation.curve import CurvePoint
from defectseg.evaluation.pixel_counts import PixelCounts
from defectseg.evaluation.slices import Slice
from defectseg.evaluation.tables import write_per_image, write_plots, write_slices
from scored_pictures import drawn_tile, scored
from tiny import CLASSES

PICTURES = (
    scored("11.", "1.1", score=0.75, surface="s1"),
    scored("...", "..2", score=1 / 3, surface="s2", verdict="review"),
    scored("...", "...", surface="s3"),
)
PER_IMAGE = (
    "id,class,surface,sha256,tp,fp,fn,score,verdict,said,"
    "regions,found_iou30,found_iou50,false_regions,confusion"
)
METRICS = {"iou_crack": 0.25, "iou_blowhole": None}
CURVES = {
    "valid": [CurvePoint(1.0, 1.0, None), CurvePoint(0.5, 0.25, None)],
    "test": [CurvePoint(0.9, 0.5, 0.125)],
}


def lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


def counted() -> PixelCounts:
    """Pixels of 0.25 and 0.85; the truth of the surest is a defect."""
    pixels = PixelCounts(2)
    defect = np.array([[0.25, 0.25, 0.85, 0.85]], dtype=np.float32)
    pixels.add(defect, mask("1212"), mask("1.12"))
    return pixels


def write(folder: Path) -> Path:
    write_plots(folder, PICTURES, counted(), CURVES, METRICS, CLASSES)
    return folder


def test_every_picture_has_one_row(tmp_path: Path):
    write_per_image(tmp_path / "per_image.csv", PICTURES)
    ids = [picture.tile.id for picture in PICTURES]
    assert lines(tmp_path / "per_image.csv") == [
        PER_IMAGE,
        f"{ids[0]},crack,s1,,1,1,1,0.75,reject,crack,1,1,1,1,0 1 0 1 1 0 0 0 0",
        f"{ids[1]},clean,s2,,0,1,0,{1 / 3!r},review,blowhole,0,0,0,1,2 0 1 0 0 0 0 0 0",
        f"{ids[2]},clean,s3,,0,0,0,0.0,accept,clean,0,0,0,0,3 0 0 0 0 0 0 0 0",
    ]


def test_a_part_without_pictures_has_a_table_without_rows(tmp_path: Path):
    write_per_image(tmp_path / "per_image.csv", [])
    assert lines(tmp_path / "per_image.csv") == [PER_IMAGE]


def test_a_comma_in_a_class_or_a_surface_stays_in_its_column(tmp_path: Path):
    tile = drawn_tile("1", kind="riss, fein", surface='a"b', tile_id="t")
    odd = scored("1", "1")
    write_per_image(tmp_path / "t.csv", [type(odd)(**{**vars(odd), "tile": tile})])
    assert lines(tmp_path / "t.csv")[1].startswith('t,"riss, fein","a""b",,1,0,0,')


def test_actual_and_predicted_classes_stand_side_by_side(tmp_path: Path):
    assert lines(write(tmp_path) / "confusion.csv") == [
        "actual,predicted",
        "crack,crack",
        "clean,blowhole",
        "clean,clean",
    ]


def test_precision_falls_and_recall_rises_with_a_lower_threshold(tmp_path: Path):
    header, *rows = lines(write(tmp_path) / "precision_recall.csv")
    assert header == "threshold,recall,precision"
    # three defect pixels; up to 0.25 all four pixels are flagged, up to 0.85 two of them
    assert rows[:26] == [f"{step / 100:.6f},1.000000,0.750000" for step in range(26)]
    assert rows[26:] == [f"{step / 100:.6f},0.666667,1.000000" for step in range(26, 86)]


def test_a_class_without_a_score_has_an_empty_field(tmp_path: Path):
    assert lines(write(tmp_path) / "iou.csv") == ["class,iou", "crack,0.25", "blowhole,"]


def test_the_curves_of_all_parts_are_in_one_table(tmp_path: Path):
    assert lines(write(tmp_path) / "escapes.csv") == [
        "part,reject,escape_rate,false_alarm_rate",
        "valid,1.0,1.0,",
        "valid,0.5,0.25,",
        "test,0.9,0.5,0.125",
    ]


def test_the_share_of_defects_stands_beside_what_was_said(tmp_path: Path):
    assert lines(write(tmp_path) / "reliability.csv") == [
        "probability,share",
        "0.250000,0.500000",
        "0.850000,1.000000",
    ]


def test_a_part_without_defects_has_no_precision_over_recall(tmp_path: Path):
    pixels = PixelCounts(2)
    pixels.add(np.full((2, 2), 0.7, np.float32), np.ones((2, 2), np.uint8), mask(".. .."))
    write_plots(tmp_path, [], pixels, {}, METRICS, CLASSES)
    assert lines(tmp_path / "precision_recall.csv") == ["threshold,recall,precision"]
    assert lines(tmp_path / "reliability.csv")[1:] == ["0.700000,0.000000"]


def test_every_slice_has_one_row_and_what_is_undefined_is_empty(tmp_path: Path):
    rows = [
        Slice("class", "crack", 4, 2, 4, 0.25, None, 0.5, 0.75),
        Slice("size of the defect", "below 0.1 %", 1, 1, 1, 0.0, None, None, None),
    ]
    write_slices(tmp_path / "slices.csv", rows)
    assert lines(tmp_path / "slices.csv") == [
        "group,name,pictures,surfaces,defect_pictures,"
        "escape_rate,false_alarm_rate,dice_pooled,defects_found",
        "class,crack,4,2,4,0.25,,0.5,0.75",
        "size of the defect,below 0.1 %,1,1,1,0.0,,,",
    ]
