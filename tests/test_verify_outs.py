"""verification: numbers and hashes of two runs, and the verdict on them."""

import hashlib
import json
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any

import pytest

from defectseg.revisions.lock import Lock, LockedFile, LockedStage
from defectseg.verification.numbers import greatest_difference
from defectseg.verification.outs import ComparedStage, Sides, compare_locks

SHA = "0" * 64


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1.0, "b": [0.5, {"c": 2}]}, {"b": [0.25, {"c": 2}], "a": 1.0}, (0.25, "b[0]")),
        ({"a": 1}, {"a": 1.0}, (0.0, "")),
        ({"a": 1}, {"a": True}, (inf, "a")),
        ({"a": True}, {"a": False}, (inf, "a")),
        ({"a": None}, {"a": None}, (0.0, "")),
        ({"a": None}, {"a": 0.0}, (inf, "a")),
        ({"a": 1}, {"b": 1}, (inf, "the whole")),
        ([1, 2], [1], (inf, "the whole")),
        ({"a": "x"}, {"a": "y"}, (inf, "a")),
        ({"a": SHA}, {"a": "f" * 64}, (0.0, "")),
        ({"a": SHA}, {"a": "f" * 63}, (inf, "a")),
        ({"a": 1e400}, {"a": 1e400}, (inf, "a")),
        ({"a": {"b": 0.5}}, {"a": {"b": 0.4}}, (pytest.approx(0.1), "a.b")),
    ],
)
def test_the_greatest_difference_and_its_place(before: Any, after: Any, expected: Any):
    assert greatest_difference(before, after) == expected


class Pipeline:
    """Two folders with the outs of two runs."""

    def __init__(self, folder: Path) -> None:
        self.folders = (folder / "before", folder / "after")

    def write(self, path: str, *contents: Any) -> None:
        """An out; one content for both runs or one for each, JSON unless bytes."""
        for folder, content in zip(self.folders, (contents * 2)[:2], strict=True):
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(
                content if isinstance(content, bytes) else json.dumps(content).encode()
            )

    def compare(
        self,
        outs: Sequence[str],
        section: str = "compute",
        epsilon: float = 1e-6,
        is_gone: bool = False,
        ignored: Sequence[str] = (),
    ) -> ComparedStage:
        """The verdict on a stage that has these outs."""
        locks = []
        for folder in self.folders:
            files = [
                LockedFile(path=path, md5=md5(folder / path))
                for path in outs
                if (folder / path).exists()
            ]
            params = {"params.yaml": {section: 1}}
            locks.append(Lock(stages={"s": LockedStage(cmd="x", params=params, outs=tuple(files))}))
        find = [
            lambda path, folder=folder: None if is_gone else folder / path
            for folder in self.folders
        ]
        sides = Sides(find[0], find[1], epsilon, frozenset(ignored))
        return compare_locks(locks[0], locks[1], ["s"], sides)[0]


def md5(place: Path) -> str:
    if place.is_file():
        return hashlib.md5(place.read_bytes()).hexdigest()
    files = sorted(path for path in place.rglob("*") if path.is_file())
    return hashlib.md5(b"".join(path.read_bytes() for path in files)).hexdigest() + ".dir"


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path)


def test_the_same_bytes_are_bit_equal(pipeline: Pipeline):
    pipeline.write("a.json", {"x": 1})
    pipeline.write("w", b"1")
    assert pipeline.compare(["a.json", "w"]).outcome == "bit-equal"


def test_near_numbers_vouch_for_other_bytes_of_a_stage_that_computes(pipeline: Pipeline):
    pipeline.write("a.json", {"x": 0.5, "sha256": SHA}, {"x": 0.5 + 5e-7, "sha256": "1" * 64})
    pipeline.write("w", b"1", b"2")
    found = pipeline.compare(["a.json", "w"])
    assert found.outcome == "within"
    assert [out.sameness for out in found.outs] == ["within", "other bytes"]
    assert found.outs[0].note == "at most 5e-07 apart"


def test_far_numbers_are_different_and_their_place_is_named(pipeline: Pipeline):
    pipeline.write("a.json", {"x": {"y": 0.5}}, {"x": {"y": 0.51}})
    found = pipeline.compare(["a.json"])
    assert found.outcome == "different"
    assert found.outs[0].note == "x.y: 0.01 apart"
    assert pipeline.compare(["a.json"], epsilon=0.02).outcome == "within"


def test_epsilon_is_the_last_number_that_is_near(pipeline: Pipeline):
    pipeline.write("a.json", {"x": 0.5}, {"x": 0.75})
    assert pipeline.compare(["a.json"], epsilon=0.25).outcome == "within"
    assert pipeline.compare(["a.json"], epsilon=0.2499).outcome == "different"


def test_a_stage_that_does_not_compute_has_to_give_the_same_bytes(pipeline: Pipeline):
    pipeline.write("a.json", {"x": 0.5}, {"x": 0.5 + 1e-9})
    assert pipeline.compare(["a.json"]).outcome == "within"
    assert pipeline.compare(["a.json"], section="data_load").outcome == "different"


def test_other_bytes_without_numbers_beside_them_are_different(pipeline: Pipeline):
    pipeline.write("w", b"1", b"2")
    assert pipeline.compare(["w"]).outcome == "different"
    pipeline.write("t.csv", b"1")
    assert pipeline.compare(["w", "t.csv"]).outcome == "different"
    pipeline.write("a.json", {"x": 1})
    assert pipeline.compare(["w", "a.json"]).outcome == "within"


def test_the_numbers_in_a_folder_are_compared_file_by_file(pipeline: Pipeline):
    pipeline.write("m/a.json", {"x": 0.5}, {"x": 0.5 + 1e-7})
    pipeline.write("m/b.tsv", b"1", b"2")
    found = pipeline.compare(["m"])
    assert (found.outcome, found.outs[0].sameness) == ("within", "within")
    pipeline.write("m/c/d.json", {"x": 0.5}, {"x": 0.75})
    assert pipeline.compare(["m"]).outs[0].note == "c/d.json x: 0.25 apart"


@pytest.mark.parametrize("side", [0, 1])
def test_a_json_file_that_only_one_run_wrote_is_different(pipeline: Pipeline, side: int):
    pipeline.write("m/a.json", {"x": 0.5})
    pipeline.write("m/b.json", {"x": 0.5})
    (pipeline.folders[side] / "m/b.json").unlink()
    assert pipeline.compare(["m"]).outcome == "different"


def test_json_that_cannot_be_read_is_different(pipeline: Pipeline):
    pipeline.write("a.json", {"x": 0.5}, b"{")
    assert pipeline.compare(["a.json"]).outcome == "different"


@pytest.mark.parametrize(("side", "when"), [(0, "then"), (1, "now")])
def test_an_out_that_only_one_run_wrote_is_missing(pipeline: Pipeline, side: int, when: str):
    pipeline.write("a.json", {"x": 1})
    pipeline.write("b.json", {"x": 1})
    (pipeline.folders[side] / "b.json").unlink()
    found = pipeline.compare(["a.json", "b.json"])
    assert found.outcome == "different"
    assert [(out.sameness, out.note) for out in found.outs] == [
        ("bit-equal", ""),
        ("missing", when),
    ]


def test_a_committed_file_that_cannot_be_had_is_known_by_its_hash_alone(pipeline: Pipeline):
    pipeline.write("a.json", {"x": 0.5}, {"x": 0.5 + 1e-9})
    found = pipeline.compare(["a.json"], is_gone=True)
    assert (found.outcome, found.outs[0].note) == ("different", "the committed file cannot be had")


def test_the_record_of_a_run_and_what_is_ignored_are_not_compared(pipeline: Pipeline):
    pipeline.write("models/unet.run.json", {"seconds": 1}, {"seconds": 2})
    pipeline.write("requirements.txt", b"1", b"2")
    pipeline.write("a.json", {"x": 1})
    outs = ["models/unet.run.json", "requirements.txt", "a.json"]
    assert pipeline.compare(outs).outcome == "within"
    assert pipeline.compare(outs, ignored=["requirements.txt"]).outcome == "bit-equal"


def test_sources_that_the_lock_does_not_have_as_they_are_are_named():
    def lock(code: str, tiles: str) -> Lock:
        deps = (
            LockedFile(path="code.py", md5=code * 32),
            LockedFile(path="tiles", md5=f"{tiles * 32}.dir"),
        )
        outs = (LockedFile(path="tiles", md5=f"{tiles * 32}.dir"),)
        first = LockedStage(cmd="x", outs=outs)
        return Lock(stages={"load": first, "train": LockedStage(cmd="x", deps=deps)})

    sides = Sides(lambda path: None, lambda path: None, 0.0)
    found = compare_locks(lock("a", "c"), lock("b", "d"), ["load", "train", "none"], sides)
    assert [(stage.name, stage.changed) for stage in found] == [
        ("load", ()),
        ("train", ("code.py",)),
    ]
