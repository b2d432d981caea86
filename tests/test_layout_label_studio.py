"""Label Studio's layout: which picture a task is about, and what is wrong with an export."""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broken_label_studio import BROKEN, OTHER_SIZE
from conftest import write_picture
from defectseg.data.faults import Fault, FaultKind, raise_faults
from defectseg.data.layouts.label_studio import fits, read
from defectseg.errors import DataError
from label_studio_exports import (
    ENTRY,
    GOOD,
    HEIGHT,
    LEFT,
    SIZE,
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

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([-1, 0, 2**70, 0.5, 1e308, float("nan"), float("inf"), "", "\0", "x" * 300]),
    st.sampled_from(["labels", "brush", "polygonlabels", "rectangle", "x1Y2", "\ud800"]),
    st.lists(st.integers(0, 255), max_size=9),
    st.lists(st.tuples(st.floats(-300, 300), st.floats(-300, 300)), max_size=5),
    st.just({}),
    st.just([[]]),
    st.just({"a": {"b": []}}),
)


entries = st.builds(
    lambda entry, changes, value: entry | changes | {"value": entry["value"] | value},
    st.sampled_from([brush_entry(), polygon_entry(), box_entry()]),
    st.dictionaries(
        st.sampled_from(["id", "type", "original_width", "original_height", "image_rotation"]), odd
    ),
    st.dictionaries(
        st.sampled_from(["rle", "points", "closed", "brushlabels", "polygonlabels", "labels"]), odd
    ),
)


annotations = st.builds(
    lambda result, changes: annotation(*result) | changes,
    st.lists(st.one_of(entries, odd), max_size=4),
    st.dictionaries(
        st.sampled_from(
            ["completed_by", "updated_at", "created_at", "was_cancelled", "ground_truth", "result"]
        ),
        odd,
    ),
)


tasks = st.builds(
    lambda image, submitted, changes: task(1, image, *submitted) | changes,
    st.one_of(st.just("images/a.png"), odd),
    st.lists(st.one_of(annotations, odd), max_size=3),
    st.dictionaries(st.sampled_from(["id", "data", "annotations", "predictions"]), odd, max_size=1),
)


def picture_of(root: Path, image: object) -> str:
    layout = read_tasks(root, task(1, image, annotation()))
    return layout.relative(layout.records[0].picture)


def load(root: Path) -> None:
    """Read and draw everything, and raise what is wrong with it."""
    layout = read(root)
    faults = list(layout.faults)
    for record in layout.records:
        try:
            draw(layout, record.id)
        except DataError as error:
            name = layout.relative(record.picture)
            faults.append(Fault(FaultKind.BAD_LABEL, name, str(error), record.id))
    raise_faults(faults)


def test_brushes_and_polygons_are_drawn(tmp_path: Path):
    layout = read_tasks(
        tmp_path,
        task(1, "images/a.png", annotation(brush_entry("Dark spot"))),
        task(2, "images/b.png", annotation(polygon_entry("MT_Crack"))),
    )
    assert layout.name == "label_studio"
    assert layout.labels == ("crack", "dark_spot")
    assert (draw(layout, "a") == ENTRY).all()
    assert (draw(layout, "b") == LEFT).all()
    assert [record.defect_class for record in layout.records] == [None, None]
    assert [record.label.size for record in layout.records] == [SIZE, SIZE]


def test_pictures_exports_and_what_is_left_are_listed(tmp_path: Path):
    write_picture(tmp_path / "images/late.jpg")
    write_picture(tmp_path / "old/left.jpg")
    layout = read_tasks(tmp_path, GOOD, task(2, "images/b.png", annotation()))
    files = ["images/a.png", "images/b.png", "project.json"]
    assert [layout.relative(path) for path in layout.files] == files
    assert layout.ignored == ("images/late.jpg", "old/left.jpg")


def test_labels_are_sorted_and_each_is_named_once(tmp_path: Path):
    names = ["Uneven", "Crack", "MT_Fray", "crack", "Break", "Blow hole", "fray", "Dust"]
    entries = annotation(*[brush_entry(name) for name in names])
    layout = read_tasks(tmp_path, task(1, "images/a.png", entries))
    assert layout.labels == ("blow_hole", "break", "crack", "dust", "fray", "uneven")


@pytest.mark.parametrize(
    "image",
    [
        "images/a.png",
        "a.png",
        "./images//a.png",
        "/data/upload/3/0123abcd-a.png",
        "/data/local-files/?d=images/a.png",
        "/data/local-files/?d=set%2Fimages%2Fa.png",
        "/data/local-files/?d=images%5Ca.png",
        "http://localhost:8080/data/local-files/?d=images/a.png",
        "https://example.org/some/images/a.png?token=x.jpg#part",
        "s3://bucket/raw/images/a.png",
        "C:\\pictures\\images\\a.png",
    ],
)
def test_a_picture_is_found_by_every_kind_of_reference(tmp_path: Path, image: str):
    assert picture_of(tmp_path, image) == "images/a.png"


@pytest.mark.parametrize("name", ["0123abcd-a.png", "a b.png", "50%25.png", "what?.png", "ü#1.png"])
def test_a_picture_whose_name_looks_like_an_address_is_found(tmp_path: Path, name: str):
    write_picture(tmp_path / "images" / name)
    assert picture_of(tmp_path, f"images/{name}") == f"images/{name}"


def test_an_address_in_percents_is_decoded(tmp_path: Path):
    write_picture(tmp_path / "images/a b.png")
    assert picture_of(tmp_path, "https://example.org/a%20b.png") == "images/a b.png"


def test_the_longest_matching_path_counts(tmp_path: Path):
    for line in ("line1", "line2"):
        write_picture(tmp_path / "images" / line / "x.png")
    assert picture_of(tmp_path, "s3://bucket/raw/line2/x.png") == "images/line2/x.png"


def test_the_value_called_image_counts_among_several(tmp_path: Path):
    both = task(1, None, annotation(), data={"before": "images/b.png", "image": "images/a.png"})
    layout = read_tasks(tmp_path, both)
    assert [record.id for record in layout.records] == ["a"]
    one = task(1, None, annotation(), data={"photo": "images/b.png", "line": "three"})
    assert [record.id for record in read_tasks(tmp_path, one).records] == ["b"]


def test_two_pictures_and_none_called_image_are_a_fault(tmp_path: Path):
    both = task(1, None, annotation(), data={"one": "images/b.png", "two": "images/a.png"})
    with pytest.raises(DataError, match=r"name 2 pictures \['one', 'two'\]; expected one"):
        read_tasks(tmp_path, both)


@pytest.mark.parametrize(
    "image", ["http://[", "images/\0a.png", "x/" * 3000 + "a.png", "\ud800.png"]
)
def test_a_strange_reference_is_a_fault(tmp_path: Path, image: str):
    faults = read(write_export(tmp_path, task(1, image, annotation()))).faults
    assert [fault.kind for fault in faults] == [FaultKind.NO_PICTURE]


def test_ids_are_paths_below_the_folder_of_pictures(tmp_path: Path):
    write_picture(tmp_path / "images/line 1/x.png")
    write_picture(tmp_path / "more/y.png")
    tasks = [task(n, image, annotation()) for n, image in enumerate(["x.png", "y.png"])]
    ids = [record.id for record in read_tasks(tmp_path, *tasks).records]
    assert ids == ["line_1__x", "more__y"]


def test_several_exports_are_one_data_set(tmp_path: Path):
    write_export(tmp_path, GOOD)
    write_export(tmp_path, task(12, "images/b.png", annotation(polygon_entry())), name="two.json")
    layout = read(tmp_path)
    assert [record.id for record in layout.records] == ["a", "b"]
    assert layout.faults == ()


def test_a_task_that_is_annotated_elsewhere_may_lack_an_annotation(tmp_path: Path):
    write_export(tmp_path, task(1, "images/a.png", predictions=[{}]), name="before.json")
    for tasks in ([GOOD], [GOOD, task(13, "images/a.png")]):
        assert [record.id for record in read_tasks(tmp_path, *tasks).records] == ["a"]


def test_a_picture_with_a_fault_is_left_out(tmp_path: Path):
    layout = read(
        write_export(
            tmp_path, GOOD, task(2, "images/b.png", annotation(box_entry(), brush_entry("Fray")))
        )
    )
    assert [record.id for record in layout.records] == ["a"]
    assert [(fault.kind, fault.picture) for fault in layout.faults] == [(FaultKind.BAD_LABEL, "b")]
    assert layout.labels == ("crack",)
    assert "images/b.png" in [layout.relative(path) for path in layout.files]


def test_the_order_of_files_and_tasks_does_not_matter(tmp_path: Path):
    tasks = [GOOD, task(2, "images/b.png", annotation(polygon_entry("Fray")))]
    one, two = read_tasks(tmp_path, *tasks), read_tasks(tmp_path, *reversed(tasks))
    assert [record.id for record in one.records] == [record.id for record in two.records]
    assert (one.labels, one.files) == (two.labels, two.files)
    tasks = [task(12, "images/a.png"), task(2, "images/b.png")]
    orders = (tasks, tasks[::-1])
    one, two = (read(write_export(tmp_path, *order)).faults for order in orders)
    assert [fault.picture for fault in one] == ["a", "b"]
    assert one == two


@pytest.mark.parametrize(("name", "write", "message"), BROKEN, ids=[name for name, *_ in BROKEN])
def test_a_broken_export_is_told(
    tmp_path: Path, name: str, write: Callable[[Path], None], message: str
):
    write(tmp_path)
    assert fits(tmp_path)
    if name == OTHER_SIZE:
        assert read(tmp_path).records[0].label.size == (WIDTH + 1, HEIGHT)
        return
    with pytest.raises(DataError) as error:
        load(tmp_path)
    assert re.search(message, str(error.value)), str(error.value)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(tasks, odd), min_size=1, max_size=3))
def test_any_export_is_read_or_refused(content: list[object]):
    with tempfile.TemporaryDirectory() as name:
        try:
            load(write_export(Path(name), *content))
        except DataError as error:
            assert str(error).encode()  # a message can be printed
