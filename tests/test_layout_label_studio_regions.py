"""Label Studio's regions: what of an annotation is drawn, and what is no mask."""

from pathlib import Path

import pytest
from label_studio_converter import brush as label_studio

from conftest import mask, save_array
from defectseg.data.layouts.label_studio import read
from defectseg.errors import DataError
from label_studio_exports import (
    ENTRY,
    GOOD,
    HEIGHT,
    LEFT,
    WIDTH,
    annotation,
    box_entry,
    brush_entry,
    draw,
    polygon_entry,
    read_tasks,
    task,
    write_export,
)


def test_later_regions_lie_above_earlier_ones_and_ignored_labels_are_not_drawn(tmp_path: Path):
    entries = annotation(brush_entry("Blowhole"), polygon_entry("Crack"), brush_entry("Dust"))
    layout = read_tasks(tmp_path, task(1, "images/a.png", entries))
    drawn = draw(layout, blowhole=1, crack=2, dust=0)
    assert (drawn == 2 * LEFT).all()
    drawn = draw(layout, blowhole=1, crack=0, dust=3)
    assert (drawn == 3 * ENTRY).all()


def test_an_annotation_without_regions_says_that_there_is_no_defect(tmp_path: Path):
    layout = read_tasks(tmp_path, task(1, "images/a.png", annotation()))
    record = layout.records[0]
    assert (record.label.size, record.label.names, layout.labels) == (None, frozenset(), ())
    assert not draw(layout).any()


def test_background_is_no_label_and_is_not_drawn(tmp_path: Path):
    entries = annotation(polygon_entry("Background"), brush_entry("ok"))
    layout = read_tasks(tmp_path, task(1, "images/a.png", entries))
    assert layout.labels == ()
    assert not draw(layout).any()


def test_choices_texts_and_relations_are_passed_over(tmp_path: Path):
    choice = brush_entry() | {"type": "choices", "value": {"choices": ["sharp"]}}
    of_region = choice | {"value": {"choices": ["deep"], "x": 1, "y": 1, "width": 2, "height": 2}}
    relation = {"type": "relation", "from_id": "x", "to_id": "y", "direction": "right"}
    entries = annotation(choice, of_region, relation, brush_entry())
    layout = read_tasks(tmp_path, task(1, "images/a.png", entries))
    assert (draw(layout) == ENTRY).all()


def test_a_label_that_is_an_entry_of_its_own_names_its_shape(tmp_path: Path):
    shape = brush_entry()["value"] | {"brushlabels": []}
    bare = brush_entry(type="brush", value=shape)
    named = brush_entry(type="labels", value=shape | {"labels": ["Fray"]})
    layout = read_tasks(tmp_path, task(1, "images/a.png", annotation(bare, named)))
    assert layout.labels == ("fray",)
    assert (draw(layout) == ENTRY).all()


def test_a_label_without_a_shape_does_not_replace_one_with_a_shape(tmp_path: Path):
    text = brush_entry(type="labels", value={"labels": ["Fray"], "start": 1, "end": 2})
    layout = read_tasks(tmp_path, task(1, "images/a.png", annotation(brush_entry(), text)))
    assert layout.labels == ("crack",)
    assert (draw(layout) == ENTRY).all()


def test_a_shape_and_a_label_without_ids_are_no_pair(tmp_path: Path):
    shape = brush_entry()["value"] | {"brushlabels": []}
    bare = brush_entry(type="brush", value=shape)
    named = brush_entry(type="labels", value=shape | {"labels": ["Fray"]})
    del bare["id"], named["id"]
    with pytest.raises(DataError, match="region 1: it has 0 labels"):
        read_tasks(tmp_path, task(1, "images/a.png", annotation(bare, named)))


@pytest.mark.parametrize("kind", ["rectangle", "ellipse", "keypoint", "vector", "bitmask"])
def test_what_is_neither_brush_nor_polygon_is_a_fault(tmp_path: Path, kind: str):
    for ending in ("", "labels"):
        entry = box_entry() | {"type": kind + ending}
        layout = read(write_export(tmp_path, task(1, "images/a.png", annotation(entry))))
        assert f"region 1: a {kind} is no mask; draw a brush" in layout.faults[0].detail


def test_a_box_with_a_label_of_its_own_is_named_once(tmp_path: Path):
    box = box_entry() | {"type": "rectangle"}
    named = box | {"type": "labels", "value": box["value"] | {"labels": ["Fray"]}}
    faults = read(write_export(tmp_path, task(1, "images/a.png", annotation(box, named)))).faults
    assert [fault.detail.count("region") for fault in faults] == [1]


def test_polygons_without_a_noted_size_are_drawn_at_that_of_the_picture(tmp_path: Path):
    entry = polygon_entry(original_width=None, original_height=None, image_rotation=None)
    layout = read_tasks(tmp_path, task(1, "images/a.png", annotation(entry)))
    assert layout.records[0].label.size is None
    assert (draw(layout) == LEFT).all()


def test_a_drawing_refuses_another_size(tmp_path: Path):
    layout = read_tasks(tmp_path, GOOD)
    with pytest.raises(DataError, match=r"\(12, 8\) pixels, but this one has \(8, 12\)"):
        layout.records[0].label.draw((HEIGHT, WIDTH), {"crack": 1})


def test_a_picture_rotated_all_the_way_round_is_drawn(tmp_path: Path):
    layout = read_tasks(
        tmp_path, task(1, "images/a.png", annotation(brush_entry(image_rotation=360)))
    )
    assert (draw(layout) == ENTRY).all()


def test_many_damaged_regions_are_counted(tmp_path: Path):
    faults = read(
        write_export(tmp_path, task(2, "images/b.png", annotation(*[box_entry()] * 7)))
    ).faults
    assert "region 5: " in faults[0].detail
    assert faults[0].detail.endswith("; and 2 more")


def test_what_the_library_of_label_studio_writes_is_read(tmp_path: Path):
    drawn = mask("..###....... .####....... " + 6 * "...........# ")
    path = save_array(tmp_path / "drawn.png", drawn * 255)
    theirs = label_studio.image2annotation(str(path), "Crack", "tag", "image", ground_truth=True)
    path.unlink()
    layout = read_tasks(tmp_path, task(1, "images/a.png", theirs))
    assert (draw(layout) == drawn).all()


def test_a_brush_of_the_library_with_an_alpha_of_1_is_read(tmp_path: Path):
    rle = label_studio.mask2rle(LEFT)
    entry = brush_entry(value={"format": "rle", "rle": rle, "brushlabels": ["Crack"]})
    assert (draw(read_tasks(tmp_path, task(1, "a.png", annotation(entry)))) == LEFT).all()
