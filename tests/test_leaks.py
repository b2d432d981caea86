"""leaks: which surfaces a split shares between its parts."""

import json

import pytest

from defectseg.data.audit.leaks import Leaks, find_leaks

SURFACES = {"a1": "a", "a2": "a", "a3": "a", "b1": "b", "b2": "b", "c1": "c", "c2": "c", "d1": "d"}
PARTS = {
    "a1": "train",
    "a2": "test",
    "a3": "test",
    "b1": "train",
    "b2": "valid",
    "c1": "valid",
    "c2": "test",
    "d1": "test",
}


@pytest.fixture
def leaks() -> Leaks:
    """Surface a is in train and test, b in train and valid, c in valid and test, d in test only."""
    return find_leaks(PARTS, SURFACES)


def test_a_straddling_surface_is_named_with_its_pictures_in_each_part(leaks: Leaks):
    assert leaks.straddling == {
        "a": {"train": ("a1",), "test": ("a2", "a3")},
        "b": {"train": ("b1",), "valid": ("b2",)},
        "c": {"valid": ("c1",), "test": ("c2",)},
    }


def test_pictures_and_surfaces_of_each_part_are_counted(leaks: Leaks):
    assert leaks.pictures == {"train": 2, "valid": 2, "test": 4}
    assert leaks.surfaces == {"train": 2, "valid": 2, "test": 3}


def test_the_surfaces_of_two_parts_are_shared_both_ways(leaks: Leaks):
    assert leaks.shared("train", "test") == leaks.shared("test", "train") == ("a",)
    assert leaks.shared("train", "valid") == ("b",)
    assert leaks.shared("valid", "test") == ("c",)


def test_only_siblings_in_the_other_part_count(leaks: Leaks):
    assert leaks.siblings("test") == ("a2", "a3")  # c2 has one in valid, d1 has none
    assert leaks.siblings("valid") == ("b2",)
    assert leaks.siblings("test", "valid") == ("c2",)


def test_the_share_is_of_all_pictures_of_the_part(leaks: Leaks):
    assert leaks.share("test") == 0.5
    assert leaks.share("valid") == 0.5
    assert leaks.share("test", "valid") == 0.25


def test_a_part_without_pictures_has_no_share():
    assert find_leaks({"a1": "train"}, SURFACES).share("test") is None


def test_pictures_without_a_part_do_not_count():
    leaks = find_leaks({"a1": "train", "b1": "test"}, SURFACES)
    assert leaks.straddling == {}
    assert leaks.pictures == {"train": 1, "valid": 0, "test": 1}


def test_siblings_in_one_part_are_no_leak():
    assert find_leaks({"a1": "test", "a2": "test", "b1": "train"}, SURFACES).straddling == {}


def test_the_order_of_the_pictures_does_not_matter(leaks: Leaks):
    turned = find_leaks(dict(reversed(PARTS.items())), dict(reversed(SURFACES.items())))
    assert json.dumps(turned.to_json()) == json.dumps(leaks.to_json())


def test_everything_goes_into_a_file(leaks: Leaks):
    report = json.loads(json.dumps(leaks.to_json()))
    assert report["leaked_surfaces"] == 3
    assert report["pictures"] == {"train": 2, "valid": 2, "test": 4}
    assert report["surfaces"] == {"train": 2, "valid": 2, "test": 3}
    assert report["shared_surfaces"] == {"train, valid": 1, "train, test": 1, "valid, test": 1}
    assert report["with_a_sibling_in_train"] == {
        "valid": {"pictures": 1, "share": 0.5, "names": ["b2"]},
        "test": {"pictures": 2, "share": 0.5, "names": ["a2", "a3"]},
    }
    assert report["leaks"]["c"] == {"valid": ["c1"], "test": ["c2"]}


def test_a_picture_without_a_surface_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="1 pictures have no surface, such as z1"):
        find_leaks({"z1": "train"}, SURFACES)


def test_a_part_of_another_name_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match=r"parts \['holdout'\]; expected only train, valid, test"):
        find_leaks({"a1": "holdout"}, SURFACES)
