"""merge: three texts of dvc.lock in, one out, stage by stage."""

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest

from defectseg.errors import RevisionError
from defectseg.revisions.dvc_text import read_mapping, write_mapping
from defectseg.revisions.merge import find_reruns, merge_locks, order_stages

Files = Mapping[str, str]


def stage(deps: Files, outs: Files, **params: Any) -> dict[str, Any]:
    """A stage of dvc.lock; each file is given by its path and its content."""
    entry: dict[str, Any] = {"cmd": "python run.py", "deps": listed(deps)}
    if params:
        entry["params"] = {"params.yaml": params}
    return {**entry, "outs": listed(outs)}


def listed(files: Files) -> list[dict[str, Any]]:
    return [
        {"path": path, "hash": "md5", "md5": hashlib.md5(content.encode()).hexdigest(), "size": 1}
        for path, content in files.items()
    ]


def lock(**stages: Any) -> bytes:
    return write_mapping({"schema": "2.0", "stages": stages}).encode()


LOAD = stage({}, {"tiles": "1"}, seed=1)
LOAD_2 = stage({}, {"tiles": "2"}, seed=2)
LOAD_3 = stage({}, {"tiles": "3"}, seed=3)
TRAIN = stage({"tiles": "1"}, {"model": "1"}, rate=1)
TRAIN_2 = stage({"tiles": "1"}, {"model": "2"}, rate=2)
TEST = stage({"model": "1"}, {"scores": "1"})
BASE = lock(load=LOAD, train=TRAIN, test=TEST)


def test_what_nobody_changed_stays_byte_for_byte():
    merged = merge_locks(BASE, BASE, BASE)
    assert (merged.text.encode(), merged.conflicts, merged.taken) == (BASE, (), ())


def test_a_stage_that_one_side_changed_is_taken_from_it():
    ours, theirs = lock(load=LOAD_2, train=TRAIN, test=TEST), BASE
    assert merge_locks(BASE, ours, theirs).text.encode() == ours
    merged = merge_locks(BASE, theirs, ours)
    assert merged.text.encode() == ours
    assert merged.taken == ("load",)


def test_two_sides_that_changed_different_stages_are_joined():
    ours = lock(load=LOAD_2, train=TRAIN, test=TEST)
    theirs = lock(load=LOAD, train=TRAIN_2, test=TEST)
    merged = merge_locks(BASE, ours, theirs)
    assert merged.text.encode() == lock(load=LOAD_2, train=TRAIN_2, test=TEST)
    assert (merged.conflicts, merged.taken) == ((), ("train",))


def test_the_same_change_on_both_sides_is_no_conflict():
    both = lock(load=LOAD_2, train=TRAIN, test=TEST)
    merged = merge_locks(BASE, both, both)
    assert (merged.text.encode(), merged.conflicts) == (both, ())


def test_a_stage_that_both_changed_otherwise_is_marked_and_only_that_one():
    ours = lock(load=LOAD_2, train=TRAIN, test=TEST)
    theirs = lock(load=LOAD_3, train=TRAIN_2, test=TEST)
    merged = merge_locks(BASE, ours, theirs)
    assert merged.conflicts == ("load",)
    lines = merged.text.splitlines()
    marks = [lines.index(mark) for mark in ("<<<<<<< ours", "=======", ">>>>>>> theirs")]
    head, our, their, tail = (
        lines[: marks[0]],
        lines[marks[0] + 1 : marks[1]],
        lines[marks[1] + 1 : marks[2]],
        lines[marks[2] + 1 :],
    )
    kept_ours = "\n".join([*head, *our, *tail]) + "\n"
    kept_theirs = "\n".join([*head, *their, *tail]) + "\n"
    assert kept_ours.encode() == lock(load=LOAD_2, train=TRAIN_2, test=TEST)
    assert kept_theirs.encode() == lock(load=LOAD_3, train=TRAIN_2, test=TEST)


def test_a_stage_that_one_side_removed_is_gone():
    ours = lock(load=LOAD, train=TRAIN)
    assert merge_locks(BASE, ours, BASE).text.encode() == ours
    assert merge_locks(BASE, BASE, ours).text.encode() == ours
    assert merge_locks(BASE, lock(), BASE).text.encode() == lock()


def test_removed_here_and_changed_there_is_a_conflict():
    ours = lock(load=LOAD, test=TEST)
    theirs = lock(load=LOAD, train=TRAIN_2, test=TEST)
    merged = merge_locks(BASE, ours, theirs)
    assert merged.conflicts == ("train",)
    assert "<<<<<<< ours\n=======\n  train:\n" in merged.text


def test_a_stage_that_both_added_is_taken_if_equal():
    ours, theirs = lock(load=LOAD, test=TEST), lock(load=LOAD, train=TRAIN)
    merged = merge_locks(b"", ours, theirs)
    assert merged.text.encode() == lock(load=LOAD, train=TRAIN, test=TEST)
    assert merge_locks(b"", lock(load=LOAD), lock(load=LOAD_2)).conflicts == ("load",)


def test_the_order_of_the_stages_is_kept():
    assert order_stages(["a", "c"], ["a", "b", "c", "d"]) == ["a", "b", "c", "d"]
    assert order_stages(["b"], ["a", "b"]) == ["a", "b"]
    assert order_stages([], ["a", "b"]) == ["a", "b"]


def test_words_and_numbers_stay_what_dvc_wrote():
    written = b"schema: '2.0'\nstages:\n  load:\n    cmd: run\n    params:\n      params.yaml:\n"
    written += b"        check: off\n        rate: 1e-05\n        nothing:\n        text: '1'\n"
    assert merge_locks(written, written, written).text.encode() == written


def test_stages_whose_input_another_stage_did_not_write_run_again_and_those_behind_them():
    assert find_reruns({"load": LOAD, "train": TRAIN, "test": TEST}) == ()
    stages = {"load": LOAD_2, "train": TRAIN, "test": TEST}
    assert find_reruns(stages) == ("train", "test")
    assert find_reruns({"test": TEST, "train": TRAIN_2, "load": LOAD}) == ("test",)


def test_stages_in_a_circle_are_no_crash():
    there = stage({"a": "1"}, {"b": "1"})
    back = stage({"b": "2"}, {"a": "1"})
    assert find_reruns({"there": there, "back": back}) == ("back",)


def test_the_merge_tells_what_will_run_again():
    ours = lock(load=LOAD_2, train=TRAIN, test=TEST)
    theirs = lock(load=LOAD, train=TRAIN_2, test=TEST)
    assert merge_locks(BASE, ours, theirs).reruns == ("train", "test")


DAMAGED = [
    b"<<<<<<< ours\nschema: '2.0'\n",
    b"\xff\xfe",
    b"- a list\n",
    b"schema: '2.0'\nstages: [1, 2]\n",
    b"schema: '2.0'\nstages:\n  load: run\n",
    b"schema: '2.0'\nstages:\n  load:\n    cmd: 1\n  load:\n    cmd: 2\n",
    b"stages: {load: {deps: &a [*a]}}\n",
    b"[" * 3000,
    b"- " * 3000,
    b"stages: {a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], b: &b [*a, *a, *a, *a, *a, *a, *a, *a],"
    b" c: &c [*b, *b, *b, *b, *b, *b, *b, *b], d: &d [*c, *c, *c, *c, *c, *c, *c, *c],"
    b" e: &e [*d, *d, *d, *d, *d, *d, *d, *d], f: [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]}",
    b"stages: !!python/object/apply:os.system ['true']\n",
    b"stages:\n  1: {}\n  ? [a]\n  : {}\n",
]


@pytest.mark.parametrize("damaged", DAMAGED)
def test_a_damaged_side_is_refused(damaged: bytes):
    with pytest.raises(RevisionError):
        merge_locks(BASE, damaged, BASE)
    with pytest.raises(RevisionError):
        merge_locks(BASE, lock(load=LOAD_2), damaged)


@pytest.mark.parametrize(
    "odd",
    [
        b"schema: '2.0'\nstages:\n  load:\n    deps: 7\n    outs: {a: 1}\n",
        b"schema: '2.0'\nstages:\n  load:\n    deps: [7, {path: 1}, {path: a}]\n",
    ],
)
def test_odd_stages_are_merged_like_any_other(odd: bytes):
    assert read_mapping(merge_locks(BASE, odd, BASE).text.encode(), "it") == read_mapping(odd, "it")


def test_locks_of_two_schemas_are_refused():
    ours, theirs = BASE.replace(b"2.0", b"3.0"), BASE.replace(b"2.0", b"4.0")
    with pytest.raises(RevisionError, match=r"beside their stages.*3\.0.*4\.0"):
        merge_locks(BASE, ours, theirs)
    assert merge_locks(BASE, BASE, theirs).text.encode() == theirs
