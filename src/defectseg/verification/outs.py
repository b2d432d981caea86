"""Two locks of one pipeline and their files in, a verdict on each stage and each out.

`bit-equal`: every out has the same bytes. `within`: the stage computes (it reads the params section
`compute`), some outs have other bytes, but every number in its JSON files is within epsilon.
`different`: all else. Tiles, splits and packages have to be the same bytes: a file of counts beside
them proves nothing.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Literal

from defectseg.revisions.lock import Lock, LockedFile, LockedStage
from defectseg.verification.numbers import greatest_difference
from defectseg.verification.record import Outcome

RECORDS = frozenset({"models/unet.run.json"})  # of one run: never the same twice
COMPUTES = "compute"  # the params section of stages that round
RANK: tuple[Outcome, ...] = ("bit-equal", "within", "different")  # the worst last
Find = Callable[[str], Path | None]  # a path → where the file lies; None = it cannot be had
Sameness = Literal["bit-equal", "within", "different", "other bytes", "missing", "not compared"]


@dataclass(frozen=True)
class ComparedOut:
    """One out of a stage."""

    path: str
    sameness: Sameness
    note: str = ""


@dataclass(frozen=True)
class ComparedStage:
    """One stage."""

    name: str
    outcome: Outcome
    outs: tuple[ComparedOut, ...]
    changed: tuple[str, ...]  # files of git that it read and that are not as the lock has them


@dataclass(frozen=True)
class Sides:
    """Where the files of both sides are found."""

    before: Find
    after: Find
    epsilon: float
    ignored: frozenset[str] = frozenset()  # outs that say nothing here


def compare_locks(
    before: Lock, after: Lock, names: Sequence[str], sides: Sides
) -> list[ComparedStage]:
    """Compare the stages that ran, in the order of `names`."""
    outs = {out.path for stage in before.stages.values() for out in stage.outs}
    return [
        compare_stage(name, before.stages[name], after.stages[name], outs, sides)
        for name in names
        if name in after.stages
    ]


def compare_stage(
    name: str, before: LockedStage, after: LockedStage, made: set[str], sides: Sides
) -> ComparedStage:
    """Compare what a stage wrote.

    Args:
        made: The outs of all stages: what is none of them is a source.
    """
    rounds = any(COMPUTES in sections for sections in before.params.values())
    found = {out.path: out for out in after.outs}
    paths = dict.fromkeys([*(out.path for out in before.outs), *found])
    was = {out.path: out for out in before.outs}
    outs = tuple(compare_out(p, was.get(p), found.get(p), rounds, sides) for p in paths)
    read = {dep.path: dep.md5 for dep in after.deps}
    changed = [
        dep.path
        for dep in before.deps
        if dep.path not in made and read.get(dep.path, dep.md5) != dep.md5
    ]
    return ComparedStage(name, judge(outs), outs, tuple(changed))


def judge(outs: Sequence[ComparedOut]) -> Outcome:
    """The outcome of a stage."""
    kinds = {out.sameness for out in outs} - {"not compared"}
    if kinds <= {"bit-equal"}:
        return "bit-equal"
    vouches = any(
        out.sameness == "within" or (out.sameness == "bit-equal" and out.path.endswith(".json"))
        for out in outs
    )
    return "within" if vouches and not kinds & {"different", "missing"} else "different"


def compare_out(
    path: str, before: LockedFile | None, after: LockedFile | None, rounds: bool, sides: Sides
) -> ComparedOut:
    """Compare one out by its hash, then by its numbers."""
    if path in RECORDS | sides.ignored:
        return ComparedOut(path, "not compared")
    if before is None or after is None:
        return ComparedOut(path, "missing", "then" if before is None else "now")
    if before.md5 == after.md5:
        return ComparedOut(path, "bit-equal")
    if not rounds:
        return ComparedOut(path, "different")
    pair = sides.before(path), sides.after(path)
    if pair[0] is None or pair[1] is None:
        return ComparedOut(path, "different", "the committed file cannot be had")
    return compare_numbers(path, pair[0], pair[1], sides.epsilon)


def compare_numbers(path: str, before: Path, after: Path, epsilon: float) -> ComparedOut:
    """Compare the numbers of a JSON file, or of all of them in a folder."""
    names = [*json_files(before), *(n for n in json_files(after) if not (before / n).is_file())]
    if not names:
        return ComparedOut(path, "other bytes")
    worst = (0.0, "")
    for name in names:
        far, place = difference_of(before / name, after / name)
        worst = max(worst, (far, f"{name} {place}".strip()))
    far, place = worst
    if far > epsilon:
        how = "another content" if far == inf else f"{far:.2g} apart"
        return ComparedOut(path, "different", f"{place}: {how}")
    return ComparedOut(path, "within", f"at most {far:.2g} apart")


def difference_of(before: Path, after: Path) -> tuple[float, str]:
    """How far the numbers of two JSON files are apart; infinite where one is none."""
    try:
        return greatest_difference(*(json.loads(p.read_text("utf-8")) for p in (before, after)))
    except (OSError, ValueError, RecursionError):
        return inf, "cannot be read"


def json_files(place: Path) -> Iterator[str]:
    """The names of JSON files in a folder; the empty name for a JSON file itself."""
    if place.is_file():
        yield from [""] if place.suffix == ".json" else []
        return
    yield from sorted(p.relative_to(place).as_posix() for p in place.rglob("*.json"))
