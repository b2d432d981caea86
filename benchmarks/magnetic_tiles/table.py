"""All results in, the tables of docs/benchmark.md out: results/table.json and the page itself."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from fold import RESULTS, Run
from limits import AS_IT_IS, ask, by_surface
from markdown_tables import JUDGED, SHOWN, insert, markdown
from protocol import EXPOSURES
from settings import Setting, read_setting, setting_names

from defectseg.comparison.evidence import Evidence
from defectseg.errors import DefectsegError
from defectseg.evaluation.metrics import to_number
from defectseg.files import write_atomically
from results import (
    CLASSES,
    FoldedTable,
    Score,
    compare_settings,
    read_facts,
    read_models,
    read_rows,
    read_table,
    score_setting,
    seeds_done,
)

PAGE = Path("docs/benchmark.md")
TABLE = RESULTS / "table.json"
FOLDS = 5
ON_TRAIN = "pictures that were trained on, mean of the folds"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if not current")
    check = parser.parse_args().check
    rows = [describe(read_setting(name)) for name in setting_names() if seeds_done(name, FOLDS)]
    text = json.dumps(rows, indent=1, allow_nan=False) + "\n"
    page = insert(PAGE.read_text(encoding="utf-8"), "\n".join(markdown(rows)))
    contents = {TABLE: text, PAGE: page}
    if check:
        old = [str(p) for p, new in contents.items() if p.read_text(encoding="utf-8") != new]
        raise SystemExit(f"not current: {', '.join(old)}; run {Path(__file__).name}" if old else 0)
    for path, content in contents.items():
        with write_atomically(path) as file:
            file.write(content)
    print(f"{len(rows)} settings: {TABLE}, {PAGE}")


def describe(setting: Setting) -> dict[str, Any]:
    """Everything that the tables say of a setting."""
    seeds = seeds_done(setting.name, FOLDS)
    tables = {part: read_all(setting.name, seeds, part) for part in ("valid", "test")}
    facts = [fact for seed in seeds for fact in read_facts(setting.name, seed, FOLDS)]
    return {
        "setting": setting.name,
        "from": setting.start,
        "why": setting.why,
        "seeds": seeds,
        "parameters": facts[0]["parameters"],
        "pictures_seen": facts[0]["pictures_seen"],
        "train_seconds": round(float(np.mean([seconds_of(fact, setting) for fact in facts])), 1),
        "hardware": sorted({describe_hardware(fact) for fact in facts}),
        **{part: to_json(score_setting(each), SHOWN) for part, each in tables.items()},
        "against": against(setting, tables["valid"][0]),
        "confusion": tables["test"][0].table.confusion.sum(axis=0).astype(int).tolist(),
        "limits": describe_limits(tables["test"][0], facts[:FOLDS]),
        "surfaces": describe_surfaces(tables["test"][0]),
        "folds": [describe_fold(tables["test"][0], fold) for fold in range(FOLDS)],
        "exposures": list(describe_exposures(setting.name)),
        "leak": describe_leak(setting.name),
    }


def describe_fold(test: FoldedTable, fold: int) -> dict[str, Any]:
    """What a single model says of its own surfaces, and how many of them show each defect."""
    inside = test.fold == fold
    scores = test.scores(inside[None].astype(float))
    shown = set(zip(test.table.defect_class[inside], np.array(test.surfaces)[inside], strict=True))
    return {
        "fold": fold,
        "surfaces": {name: sum(shows == name for shows, _ in shown) for name in CLASSES},
        **{name: to_number(scores[name][0]) for name in SHOWN},
    }


def describe_limits(test: FoldedTable, facts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The scores without each kind of error, and of pictures that the models were trained on."""
    found: dict[str, Any] = {
        question: {name: to_number(value) for name, value in scores.items()}
        for question, scores in ask(test.table.confusion.astype(float), CLASSES).items()
    }
    trained_on = [fact["on_train"] for fact in facts if "on_train" in fact]
    if trained_on:
        found[ON_TRAIN] = {
            name: to_number(np.mean([scores[name] for scores in trained_on]))
            for name in found[AS_IT_IS]
        }
    return found


def describe_surfaces(test: FoldedTable) -> dict[str, Any]:
    """How even the scores are over the surfaces of each class."""
    confusion, kinds = test.table.confusion.astype(float), test.table.defect_class
    return by_surface(confusion, kinds, test.surfaces, CLASSES)


def exposures_done(name: str) -> list[int]:
    """The exposures that some fold was trained without."""
    return [each for each in EXPOSURES if runs_done(name, left_out=each)]


def runs_done(name: str, left_out: int | None = None, leaks: bool = False) -> list[Run]:
    """The folds that are done with seed 0."""
    runs = [Run(name, fold, 0, left_out, leaks) for fold in range(FOLDS)]
    return [run for run in runs if run.facts.exists()]


def describe_exposures(name: str) -> Iterator[dict[str, Any]]:
    """Each exposure by itself, then all of them, if there are several."""
    exposures = exposures_done(name)
    for each in exposures:
        yield describe_exposure(name, str(each), [each])
    if len(exposures) > 1:
        yield describe_exposure(name, "all", exposures)


def describe_exposure(name: str, told: str, exposures: Sequence[int]) -> dict[str, Any]:
    """The test pictures of exposures by models that had seen them, and by models that had not."""
    runs = [run for each in exposures for run in runs_done(name, left_out=each)]
    unseen = read_models([(run, None) for run in runs], "test")
    had_seen = [(Run(name, run.fold, run.seed), ids_of(run)) for run in runs]
    folds = sorted({run.fold for run in runs})
    both = set_against("seen", read_models(had_seen, "test"), "not seen", unseen)
    return {"exposure": told, "folds": folds} | both


def describe_leak(name: str) -> dict[str, Any] | None:
    """The test pictures of random splits, by models that knew their surfaces and by ours."""
    runs = runs_done(name, leaks=True)
    if not runs:
        return None
    known = read_models([(run, None) for run in runs], "test")
    ours = [(run, known.ids) for run in runs_done(name)]
    both = set_against("surfaces apart", read_models(ours, "test"), "random split", known)
    return {"folds": [run.fold for run in runs]} | both


def ids_of(run: Run) -> frozenset[str]:
    """The test pictures of a run."""
    return frozenset(read_rows(run, "test", "plain"))


def set_against(first: str, base: FoldedTable, second: str, head: FoldedTable) -> dict[str, Any]:
    """Two scorings of the same pictures, by name, and what changes from one to the other."""
    scores = {first: score_setting([base]), second: score_setting([head])}
    told = {key: to_json(each, JUDGED) for key, each in scores.items()}
    return {"pictures": len(base.ids)} | told | {"against": judge_all(base, head)}


def seconds_of(fact: dict[str, Any], setting: Setting) -> float:
    """Of all epochs of a training: one that was resumed knows that of the last process alone."""
    records = [*fact.get("earlier_records", []), fact["record"]]
    return sum(
        float(record["seconds"] * cycle.train.epochs / record["epochs"])
        for cycle, record in zip(setting.cycles, records, strict=True)
    )


def read_all(name: str, seeds: Sequence[int], part: str) -> list[FoldedTable]:
    """A part of every seed."""
    return [read_table(name, seed, range(FOLDS), part) for seed in seeds]


def describe_hardware(fact: dict[str, Any]) -> str:
    """Such as `Intel(R) Xeon(R) Processor @ 2.50GHz, 1 thread`."""
    if fact["device"] != "cpu":
        return str(fact["device"])
    threads = fact["threads"]
    return f"{fact['hardware']['cpu']}, {threads} thread{'s' if threads > 1 else ''}"


def to_json(scores: dict[str, Score], names: Sequence[str]) -> dict[str, Any]:
    """Some of the scores, with the digits that the file has."""
    return {
        name: {
            key: None if value is None else to_number(value)
            for key, value in asdict(scores[name]).items()
        }
        for name in names
    }


def against(setting: Setting, valid: FoldedTable) -> dict[str, Any] | None:
    """Whether the valid parts say that it is better than the setting that it starts from.

    Where that one is not done, than the one that that starts from, and so on.
    """
    name = setting.start
    while name and 0 not in seeds_done(name, FOLDS):
        name = read_setting(name).start
    if name is None:
        return None
    base = read_table(name, 0, range(FOLDS), "valid")
    return {"setting": name} | judge_all(base, valid)


def judge_all(base: FoldedTable, head: FoldedTable) -> dict[str, Any]:
    """Whether the same pictures say that one is better than the other, score by score."""
    found = compare_settings(base, head)
    return {name: judge(found[name]) for name in JUDGED}


def judge(evidence: Evidence) -> dict[str, Any]:
    """The difference and its verdict; more is better in all of `JUDGED`."""
    word = "better" if evidence.difference > 0 else "worse"
    return {
        "difference": to_number(evidence.difference),
        "low": to_number(evidence.low),
        "high": to_number(evidence.high),
        "verdict": word if evidence.is_sure else "can't tell",
    }


if __name__ == "__main__":
    try:
        main()
    except DefectsegError as error:
        raise SystemExit(f"error: {error}") from error
