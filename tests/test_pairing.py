"""layouts/pairing: which masks belong to which picture, and what is wrong with the rest."""

from pathlib import Path

import pytest

from defectseg.data.faults import Fault, FaultKind
from defectseg.data.labels.label import MaskFile, NoDefect
from defectseg.data.layouts.pairing import (
    Group,
    find_candidates,
    pair_files,
    pair_layout,
    refuse_same_id,
    to_id,
)
from defectseg.data.tile import CLEAN

ROOT = Path("data")


def group(pictures: str, masks: str, defect_class: str | None = None) -> Group:
    """Pictures and masks of these keys."""
    return Group(
        [(key, ROOT / "images" / f"{key}.jpg") for key in pictures.split()],
        [(key, ROOT / "masks" / f"{key}.png") for key in masks.split()],
        defect_class,
    )


def test_a_mask_belongs_to_the_picture_of_its_key_with_or_without_the_ending():
    candidates, orphans = find_candidates(group("a b c", "a b_mask d_mask"))
    owned = {each.id: [path.name for path in each.masks] for each in candidates}
    assert owned == {"a": ["a.png"], "b": ["b_mask.png"], "c": []}
    assert [path.name for path in orphans] == ["d_mask.png"]


def test_a_picture_whose_key_has_the_ending_keeps_its_mask():
    candidates, _ = find_candidates(group("a a_mask", "a a_mask a_mask_mask"))
    owned = {each.id: [path.name for path in each.masks] for each in candidates}
    assert owned == {"a": ["a.png"], "a_mask": ["a_mask.png", "a_mask_mask.png"]}


def test_every_fault_of_a_group_is_found_at_once():
    records, faults = pair_files(ROOT, [group("a b c", "a c c_mask d")])
    assert [record.id for record in records] == ["a"]
    assert faults == [
        Fault(FaultKind.NO_PICTURE, "masks/d.png"),
        Fault(FaultKind.NO_MASK, "images/b.jpg", picture="b"),
        Fault(FaultKind.TWO_MASKS, "images/c.jpg", "masks/c.png and masks/c_mask.png", "c"),
    ]


def test_a_clean_group_needs_no_masks_and_may_have_some():
    records, faults = pair_files(ROOT, [group("a b", "b", CLEAN)])
    assert faults == []
    assert [type(record.label) for record in records] == [NoDefect, MaskFile]
    assert {record.defect_class for record in records} == {CLEAN}


def test_two_masks_in_a_clean_group_are_a_fault_all_the_same():
    records, faults = pair_files(ROOT, [group("a", "a a_mask", CLEAN)])
    assert (records, [fault.kind for fault in faults]) == ([], [FaultKind.TWO_MASKS])


def test_groups_do_not_take_masks_from_each_other_but_share_their_ids():
    other = Group([("a", ROOT / "more" / "A.jpg")], [], "dent")
    records, faults = pair_files(ROOT, [group("a b", "a b"), other])
    assert [record.id for record in records] == ["b"]
    assert Fault(FaultKind.SAME_ID, "images/a.jpg and more/A.jpg", picture="a") in faults


def test_one_fault_names_all_pictures_of_an_id():
    assert refuse_same_id("a", ["x/a.png", "b/a.png"]) == [
        Fault(FaultKind.SAME_ID, "b/a.png and x/a.png", picture="a")
    ]


def test_a_layout_sorts_its_records_and_files_and_lists_the_rest(tmp_path: Path):
    names = ["images/b.jpg", "images/a.jpg", "masks/a.png", "masks/b.png", "other.png", "list.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    keyed = Group(
        [(key, tmp_path / "images" / f"{key}.jpg") for key in "ba"],
        [(key, tmp_path / "masks" / f"{key}.png") for key in "ab"],
        None,
    )
    layout = pair_layout("voc", tmp_path, [keyed], ("dent",), [tmp_path / "list.txt"])
    assert [record.id for record in layout.records] == ["a", "b"]
    assert [layout.relative(path) for path in layout.files] == [
        "images/a.jpg", "images/b.jpg", "list.txt", "masks/a.png", "masks/b.png"
    ]  # fmt: skip
    assert (layout.name, layout.labels, layout.ignored) == ("voc", ("dent",), ("other.png",))


def test_a_layout_without_pictures_has_no_files(tmp_path: Path):
    assert pair_layout("voc", tmp_path, [], None, [tmp_path / "list.txt"]).files == ()


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("Linie 3/Stück:1.a", "Linie_3__Stück_1.a"),
        ("e\u0301", "é"),  # two ways to write one letter are one id
        ("../x", "..__x"),
        ("a\\b\0c", "a_b_c"),
    ],
)
def test_an_id_has_no_characters_that_trouble_paths(key: str, expected: str):
    assert to_id(key) == expected
