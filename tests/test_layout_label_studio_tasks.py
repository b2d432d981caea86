"""Label Studio's tasks: which files are exports, and which annotation of a task counts."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from defectseg.data.labels.brush import encode_brush
from defectseg.data.layouts import label_studio_tasks
from defectseg.data.layouts.label_studio import ABOUT, fits, read
from defectseg.data.layouts.layout import Batch
from defectseg.errors import DataError
from label_studio_exports import (
    ENTRY,
    GOOD,
    annotation,
    brush_entry,
    draw,
    read_tasks,
    task,
    write_export,
)


def batch_of(root: Path, content: object) -> Batch:
    return read_tasks(root, content).records[0].batch


def test_the_ground_truth_counts_else_the_annotation_changed_last(tmp_path: Path):
    def chosen(*annotations: object) -> str | None:
        return batch_of(tmp_path, task(1, "images/a.png", *annotations)).labelled_by

    old = annotation(completed_by="old", updated_at="2025-12-31T23:59:59Z")
    new = annotation(completed_by="new", updated_at="2026-01-01T01:30:00+01:00")
    skipped = annotation(completed_by="no", updated_at="2027-01-01T00:00:00Z", was_cancelled=True)
    truth = annotation(completed_by="truth", updated_at="2020-01-01T00:00:00Z", ground_truth=True)
    undated = annotation(completed_by="undated", updated_at="soon")
    assert chosen(old, new, skipped, undated) == "new"
    assert chosen(new, old) == "new"
    assert chosen(truth, new) == "truth"
    assert chosen(undated, old) == "old"
    assert chosen(undated, annotation(completed_by="second", updated_at=None)) == "undated"
    assert chosen(annotation(updated_at=float("nan")), old) == "old"


def test_times_are_compared_across_time_zones(tmp_path: Path):
    times = ["2026-01-01T01:30:00+02:00", "2026-01-01T00:10:00Z", "2026-01-01T00:20:00"]
    east, utc, bare = (annotation(completed_by=time, updated_at=time) for time in times)
    for order in ([east, utc, bare], [bare, utc, east]):
        assert batch_of(tmp_path, task(1, "a.png", *order)).labelled_by == times[2]
    assert batch_of(tmp_path, task(1, "a.png", east, utc)).labelled_by == times[1]


def test_times_in_seconds_are_compared_too(tmp_path: Path):
    early = annotation(completed_by="early", updated_at=None, created_at=1_600_000_000)
    late = annotation(completed_by="late", updated_at=None, created_at=1_600_000_001)
    for order in ([early, late], [late, early]):
        assert batch_of(tmp_path, task(1, "a.png", *order)).labelled_by == "late"


def test_completions_of_old_versions_are_read(tmp_path: Path):
    old = {"id": 1, "data": {"image": "images/a.png"}}
    skipped = {"result": [], "skipped": True, "created_at": 1_700_000_000}
    completions = [{"result": [brush_entry()], "created_at": 1_600_000_000}, skipped]
    layout = read_tasks(tmp_path, old | {"completions": completions})
    assert (draw(layout) == ENTRY).all()
    assert layout.records[0].batch == Batch("", "1600000000", "label-studio")


@pytest.mark.parametrize(
    ("who", "noted"),
    [
        (7, "7"),
        ("ann@example.org", "ann@example.org"),
        ({"id": 7, "email": "ann@example.org"}, "ann@example.org"),
        ({"id": 7}, "7"),
        ({}, ""),
        ([1], ""),
        (True, ""),
        ("ann\n\x1b[31m\u202e", "ann[31m"),
        ("a" * 5000, "a" * 200),
    ],
)
def test_who_labelled_is_noted(tmp_path: Path, who: object, noted: str):
    batch = batch_of(tmp_path, task(1, "images/a.png", annotation(completed_by=who)))
    assert batch == Batch(noted, "2026-01-31T12:00:00.5Z", "label-studio")


def test_what_our_export_noted_counts_where_label_studio_says_nothing(tmp_path: Path):
    noted = {"labelled_by": "ann", "labelled_at": "2026-01-01", "label_tool": "cvat"}
    data = {"image": "images/a.png"} | noted
    bare = {"result": []}
    assert batch_of(tmp_path, task(1, "", bare, data=data)) == Batch("ann", "2026-01-01", "cvat")
    corrected = annotation(completed_by=9)
    batch = batch_of(tmp_path, task(1, "", corrected, data=data))
    assert batch == Batch("9", "2026-01-31T12:00:00.5Z", "cvat")


@pytest.mark.parametrize(
    ("content", "is_export"),
    [
        (json.dumps([GOOD]), True),
        ("\ufeff \n[ {" + json.dumps(GOOD)[1:] + "]", True),
        (json.dumps([task(1, "a.png", annotation(*[brush_entry()] * 2000))]), True),
        ('[{"id": 1, "completions": [], "data": {}}]', True),
        ('[{"image": "a.png", "tag": [{"original_width": 1, "brushlabels": ["x"]}', True),
        ('{"images": [], "annotations": [], "categories": [], "data": 1}', False),
        ('[{"annotations": 1}]', False),
        ('["annotations", "data"]', False),
        ("[]", False),
        ("", False),
    ],
)
def test_an_export_is_recognised_by_its_start(tmp_path: Path, content: str, is_export: bool):
    (tmp_path / "x.json").write_text(content, encoding="utf-8")
    assert fits(tmp_path) is is_export
    assert ".json" in ABOUT


def test_a_folder_of_other_files_does_not_fit(tmp_path: Path):
    (tmp_path / "x.json").mkdir()
    (tmp_path / "x.txt").write_text(json.dumps([GOOD]), encoding="utf-8")
    assert not fits(tmp_path)


def test_other_text_encodings_and_larger_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = write_export(tmp_path, GOOD) / "project.json"
    content = path.read_bytes()
    path.write_bytes(content.replace(b"Crack", b"Cr\xff\xfeack"))
    with pytest.raises(DataError, match=r"project\.json cannot be read: 'utf-8'"):
        read(tmp_path)
    path.write_bytes(content)
    monkeypatch.setattr(label_studio_tasks, "MAX_BYTES", len(content) - 1)
    with pytest.raises(DataError, match=rf"{len(content)} bytes, more than {len(content) - 1}"):
        read(tmp_path)


def test_a_mark_of_the_byte_order_is_passed_over(tmp_path: Path):
    path = write_export(tmp_path, GOOD) / "project.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert fits(tmp_path)
    assert [record.id for record in read(tmp_path).records] == ["a"]


def test_text_after_the_list_and_numbers_that_are_too_long_are_refused(tmp_path: Path):
    path = write_export(tmp_path, GOOD) / "project.json"
    content = path.read_text(encoding="utf-8")
    path.write_text(content + "x", encoding="utf-8")
    with pytest.raises(DataError, match="is no list in JSON, or is cut off"):
        read(tmp_path)
    path.write_text(content.replace('"id": 12', '"id": 1' + 5000 * "2"), encoding="utf-8")
    with pytest.raises(DataError, match=r"is no JSON: .*digits"):
        read(tmp_path)


def test_memory_stays_small_while_many_brushes_are_read(tmp_path: Path):
    noise = np.random.default_rng(0).random((200, 200)) < 0.5
    Image.new("L", (200, 200)).save(write_export(tmp_path) / "images/n.png")
    rle = list(encode_brush(noise))
    entry = brush_entry(
        original_width=200,
        original_height=200,
        value={"format": "rle", "rle": rle, "brushlabels": ["Crack"]},
    )
    path = write_export(tmp_path, task(1, "n.png", annotation(*[entry] * 40))) / "project.json"
    tracemalloc.start()
    layout = read(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(layout.records) == 1
    assert peak < 8 * path.stat().st_size
