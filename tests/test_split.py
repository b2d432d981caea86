"""split: train, valid and test, with every surface in one of them."""

import hashlib
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from defectseg.data.split import (
    Split,
    SplitParams,
    describe_split,
    leaks_of,
    read_split,
    refuse_leaks,
    split_tiles,
    warn_of_leaks,
    write_split,
)
from defectseg.data.tile import CLEAN, Tile
from defectseg.errors import SplitError
from tiny import tile


def params(**changes: int) -> SplitParams:
    return SplitParams.model_validate({"folds": 5, "fold": 0, "seed": 0, "random": False} | changes)


def make_tiles(surfaces: dict[str, int], pictures: int) -> list[Tile]:
    """So many surfaces of each class, each photographed so many times."""
    return [
        tile(f"{name}_{surface}_{picture}", name, f"{name}_{surface}")
        for name, count in surfaces.items()
        for surface in range(count)
        for picture in range(pictures)
    ]


TILES = make_tiles({CLEAN: 20, "crack": 10, "hole": 5}, pictures=3)


def pictures_of(split: Split, defect_class: str) -> Counter[str]:
    ids = {t.id for t in TILES if t.defect_class == defect_class}
    return Counter(part for tile_id, part in split.parts.items() if tile_id in ids)


def test_one_fold_is_test_one_is_valid_and_the_rest_is_train():
    assert split_tiles(TILES, params()).summary() == "train 63, valid 21, test 21"  # 105 / 5 = 21


def test_each_class_is_spread_over_the_parts_as_the_folds_are():
    split = split_tiles(TILES, params())
    assert pictures_of(split, CLEAN) == {"train": 36, "valid": 12, "test": 12}
    assert pictures_of(split, "crack") == {"train": 18, "valid": 6, "test": 6}
    assert pictures_of(split, "hole") == {"train": 9, "valid": 3, "test": 3}


@pytest.mark.parametrize("seed", range(5))
def test_no_surface_lies_in_two_parts(seed: int):
    split = split_tiles(TILES, params(seed=seed))
    surfaces = {
        part: {t.surface for t in TILES if split.parts[t.id] == part}
        for part in ("train", "valid", "test")
    }
    assert [len(there) for there in surfaces.values()] == [21, 7, 7]
    assert sum(len(there) for there in surfaces.values()) == len(set.union(*surfaces.values()))


def test_a_surface_with_two_classes_stays_together():
    mixed = [tile("m0", CLEAN, "mixed"), tile("m1", "crack", "mixed"), tile("m2", "hole", "mixed")]
    split = split_tiles(TILES + mixed, params())
    assert len({split.parts[t.id] for t in mixed}) == 1


@pytest.mark.parametrize("folds", [3, 5])
def test_over_all_folds_every_tile_is_in_test_once_and_in_valid_once(folds: int):
    splits = [split_tiles(TILES, params(folds=folds, fold=fold)) for fold in range(folds)]
    for part in ("test", "valid"):
        seen = [tile_id for split in splits for tile_id in split.ids(part)]
        assert sorted(seen) == sorted(t.id for t in TILES)


def test_what_is_test_in_one_fold_was_valid_in_the_fold_before():
    splits = [split_tiles(TILES, params(fold=fold)) for fold in range(5)]
    for fold in range(5):
        assert splits[fold].ids("test") == splits[fold - 1].ids("valid")


def test_the_valid_fold_comes_after_the_test_fold_and_after_the_last_comes_the_first():
    assert [params(fold=fold).valid_fold for fold in range(5)] == [1, 2, 3, 4, 0]


def test_the_order_of_the_tiles_does_not_change_their_parts():
    shuffled = random.Random(0).sample(TILES, len(TILES))
    assert split_tiles(shuffled, params()).parts == split_tiles(TILES, params()).parts


def test_the_split_lists_the_tiles_in_the_order_of_the_manifest():
    assert list(split_tiles(TILES, params()).parts) == [t.id for t in TILES]


def test_another_seed_is_another_split():
    assert split_tiles(TILES, params(seed=1)).parts != split_tiles(TILES, params()).parts


def test_a_split_that_is_not_random_is_the_one_that_it_always_was():
    lines = "".join(f"{i},{part}\n" for i, part in split_tiles(TILES, params()).parts.items())
    assert hashlib.sha256(lines.encode()).hexdigest()[:16] == "5305f4971b4b1be1"


def test_a_random_split_has_the_same_parts_and_spreads_each_class():
    split = split_tiles(TILES, params(random=True))
    assert split.summary() == "train 63, valid 21, test 21"
    assert pictures_of(split, CLEAN) == {"train": 36, "valid": 12, "test": 12}
    assert pictures_of(split, "crack") == {"train": 18, "valid": 6, "test": 6}
    assert pictures_of(split, "hole") == {"train": 9, "valid": 3, "test": 3}


def test_a_random_split_leaks_and_is_not_refused():
    assert len(leaks_of(TILES, split_tiles(TILES, params(random=True))).straddling) > 10


def test_over_all_folds_of_a_random_split_every_tile_is_in_test_and_in_valid_once():
    splits = [split_tiles(TILES, params(fold=fold, random=True)) for fold in range(5)]
    for part in ("test", "valid"):
        seen = [tile_id for split in splits for tile_id in split.ids(part)]
        assert sorted(seen) == sorted(t.id for t in TILES)
    assert splits[0].ids("test") == splits[4].ids("valid")


def test_the_order_of_the_tiles_does_not_change_a_random_split():
    shuffled = random.Random(0).sample(TILES, len(TILES))
    split = split_tiles(shuffled, params(random=True))
    assert split.parts == split_tiles(TILES, params(random=True)).parts
    assert list(split.parts) == [t.id for t in shuffled]


def test_another_seed_is_another_random_split():
    first, second = (split_tiles(TILES, params(seed=seed, random=True)) for seed in (0, 1))
    assert first.parts != second.parts


def test_a_random_split_needs_pictures_and_not_surfaces():
    tiles = make_tiles({CLEAN: 1, "crack": 1}, pictures=5)
    split = split_tiles(tiles, params(random=True))
    assert split.summary() == "train 6, valid 2, test 2"
    with pytest.raises(SplitError, match="the largest class, clean, has 4 pictures for 5 folds"):
        split_tiles(make_tiles({CLEAN: 1}, pictures=4), params(random=True))


@pytest.mark.parametrize("is_random", [False, True])
def test_an_empty_manifest_is_refused(is_random: bool):
    with pytest.raises(SplitError, match="lists no picture; run data_load first"):
        split_tiles([], params(random=is_random))


def test_too_few_surfaces_are_refused_with_their_number():
    tiles = make_tiles({CLEAN: 2, "crack": 2}, pictures=6)
    with pytest.raises(SplitError, match=r"^4 surfaces cannot fill 5 folds; lower data_split\."):
        split_tiles(tiles, params())


def test_classes_that_are_all_smaller_than_the_folds_are_refused():
    tiles = make_tiles({CLEAN: 4, "crack": 3}, pictures=1)
    with pytest.raises(SplitError, match="the largest class, clean, has 4 pictures for 5 folds"):
        split_tiles(tiles, params())


def test_a_class_rarer_than_the_folds_is_split_without_a_warning():
    split = split_tiles([*TILES, tile("x1", "fray"), tile("x2", "fray")], params())
    assert split.parts.keys() >= {"x1", "x2"}


def test_a_part_that_would_be_empty_is_refused():
    shots = {"s0": ("crack", 2), "s1": ("crack", 6), "s2": ("hole", 1), "s3": (CLEAN, 1)}
    shots["s4"] = ("fray", 1)
    tiles = [
        tile(f"{surface}_{n}", name, surface)
        for surface, (name, count) in shots.items()
        for n in range(count)
    ]
    said = []
    for seed in range(40):
        try:
            said.append(split_tiles(tiles, params(seed=seed)).summary())
        except SplitError as error:
            assert "no picture is left for" in str(error)
            said.append("refused")
    assert "refused" in said
    assert not [summary for summary in said if " 0" in summary]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fold": 5}, "fold 5 of 5 folds; count from 0"),
        ({"fold": -1}, "greater than or equal to 0"),
        ({"folds": 2}, "greater than or equal to 3"),
    ],
)
def test_a_fold_that_does_not_exist_is_no_setting(changes: dict[str, int], message: str):
    with pytest.raises(ValidationError, match=message):
        params(**changes)


LEAK = Split({"a": "train", "b": "test", "c": "valid", "d": "valid"})
LEAKED = [
    tile("a", CLEAN, "s1"),
    tile("b", CLEAN, "s1"),
    tile("c", CLEAN, "s2"),
    tile("d", CLEAN, "s2"),
]


def test_a_surface_in_two_parts_is_a_leak():
    assert leaks_of(LEAKED, LEAK).straddling == {"s1": {"train": ("a",), "test": ("b",)}}


def test_a_leak_is_refused_with_the_surface_and_its_parts():
    message = "1 surfaces lie in more than one part, such as s1 in train and test"
    with pytest.raises(SplitError, match=message):
        refuse_leaks(LEAKED, LEAK)


def test_a_split_without_a_leak_passes():
    refuse_leaks(LEAKED[2:], LEAK)


def test_a_report_counts_pictures_and_surfaces_by_part_and_class():
    tiles = [tile("a", CLEAN, "s1"), tile("b", "crack", "s1"), tile("c", "crack", "s2")]
    report: dict[str, Any] = describe_split(
        tiles, Split({"a": "train", "b": "train", "c": "valid"})
    )
    none = {"pictures": 0, "surfaces": 0}
    one = {"pictures": 1, "surfaces": 1}
    assert report == {
        "leaked_surfaces": 0,
        "test_pictures_with_a_sibling_in_train": 0,
        "train": {"pictures": 2, "surfaces": 1, "classes": {CLEAN: one, "crack": one}},
        "valid": {"pictures": 1, "surfaces": 1, "classes": {CLEAN: none, "crack": one}},
        "test": {"pictures": 0, "surfaces": 0, "classes": {CLEAN: none, "crack": none}},
    }


def test_a_report_counts_leaks():
    report = describe_split(LEAKED, LEAK)
    assert report["leaked_surfaces"] == 1
    assert report["test_pictures_with_a_sibling_in_train"] == 1


def test_a_leak_is_warned_of_with_its_numbers():
    tiles = [*LEAKED, tile("e", CLEAN, "s3")]
    warning = warn_of_leaks(tiles, Split({**LEAK.parts, "e": "test"}))
    assert "THIS SPLIT LEAKS: 1 of 2 test pictures have a sibling in train" in warning


def test_a_split_without_a_leak_warns_of_nothing():
    assert warn_of_leaks(LEAKED[2:], Split({"c": "valid", "d": "valid"})) == ""


def test_a_split_comes_back_as_it_was_written(tmp_path: Path):
    write_split(tmp_path / "split.csv", LEAK)
    assert (tmp_path / "split.csv").read_text() == "id,part\na,train\nb,test\nc,valid\nd,valid\n"
    read = read_split(tmp_path / "split.csv")
    assert (read, list(read.parts)) == (LEAK, ["a", "b", "c", "d"])


def test_the_ids_of_a_part_keep_their_order():
    assert LEAK.ids("valid") == ("c", "d")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is no split: .*; run data_split first"),
        ("name,part\na,train\n", "is no split: 'id'; run data_split first"),
        ("id,part\na,holdout\nb,train\n", r"names the parts \['holdout'\]; expected only train"),
        ("id,part\na\n", r"names the parts \[''\]"),
        ("id,part\n" + "a" * 200_000 + ",train\n", "is no split: field larger than field limit"),
    ],
    ids=["missing", "columns", "part", "cut", "huge"],
)
def test_what_is_no_split_is_refused(tmp_path: Path, content: str | None, message: str):
    if content is not None:
        (tmp_path / "split.csv").write_text(content)
    with pytest.raises(SplitError, match=message):
        read_split(tmp_path / "split.csv")
