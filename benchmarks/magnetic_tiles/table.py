"""All results in, the tables of docs/benchmark.md out: results/table.json and the page itself."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from fold import RESULTS, Run
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
    read_table,
    score_setting,
    seeds_done,
)

PAGE = Path("docs/benchmark.md")
TABLE = RESULTS / "table.json"
START, END = "<!-- table.py: from here -->", "<!-- table.py: to here -->"
FOLDS = 5
SHOWN = (
    *("iou_macro", "dice_pooled", "dice_per_image_mean", "image_auroc"),
    *("escape_rate", "false_alarm_rate"),
    *(f"iou_{name}" for name in CLASSES),
)
HEADINGS = ("macro IoU", "pooled Dice", "Dice a picture", "AUROC", "escapes", "false alarms")
JUDGED = ("iou_macro", "dice_pooled", "image_auroc")
WAYS = {"own": "its way", "ours": "our way"}
REFERENCE = ("dice_pooled", "image_auroc", "escape_rate", "false_alarm_rate")
NAMES = ("macro IoU", "pooled Dice", "AUROC")  # of `JUDGED`


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
        "exposures": [
            describe_exposure(setting.name, each) for each in exposures_done(setting.name)
        ],
    }


def exposures_done(name: str) -> list[int]:
    """The exposures that some fold was trained without."""
    return [each for each in EXPOSURES if folds_without(name, each)]


def folds_without(name: str, exposure: int) -> list[int]:
    """The folds that were trained without an exposure."""
    return [fold for fold in range(FOLDS) if Run(name, fold, 0, exposure).facts.exists()]


def describe_exposure(name: str, exposure: int) -> dict[str, Any]:
    """The test pictures of one exposure by models that had seen it, and by models that had not."""
    folds = folds_without(name, exposure)
    seen = read_table(name, 0, folds, "test", exposure=exposure)
    unseen = read_table(name, 0, folds, "test", left_out=exposure)
    scores = {"seen": score_setting([seen]), "unseen": score_setting([unseen])}
    return {
        "exposure": exposure,
        "folds": folds,
        "pictures": len(seen.ids),
        **{key: to_json(each, JUDGED) for key, each in scores.items()},
        "against": judge_all(seen, unseen),
    }


def seconds_of(fact: dict[str, Any], setting: Setting) -> float:
    """Of all epochs of a training: one that was resumed knows that of the last process alone."""
    return float(fact["train_seconds"] * setting.train.epochs / fact["record"]["epochs"])


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
    """Whether the valid parts say that it is better than the setting that it starts from."""
    if setting.start is None or 0 not in seeds_done(setting.start, FOLDS):
        return None
    return judge_all(read_table(setting.start, 0, range(FOLDS), "valid"), valid)


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


def markdown(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The tables, line by line."""
    yield from header("setting", "seeds", *HEADINGS)
    for row in rows:
        cells = [show(row["test"][name]) for name in SHOWN[:6]]
        yield f"| {row['setting']} | {len(row['seeds'])} | {' | '.join(cells)} |"
    yield ""
    yield from header("setting", *CLASSES)
    for row in rows:
        cells = [show(row["test"][f"iou_{name}"]) for name in CLASSES]
        yield f"| {row['setting']} | {' | '.join(cells)} |"
    yield ""
    yield from header("setting", "what", *(f"valid: {name}" for name in NAMES), "size", "s a fold")
    for row in rows:
        told = row["against"]
        cells = [show_change(told[name]) if told else "" for name in JUDGED]
        what = f"{row['from']}, but {row['why']}" if row["from"] else row["why"]
        size = f"{row['parameters'] / 1e6:.2f} M"
        yield (
            f"| {row['setting']} | {what} | {' | '.join(cells)} | {size} | "
            f"{row['train_seconds']:.0f} |"
        )
    yield from exposure_lines(rows)
    yield from reference_lines()


def exposure_lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What a camera setting costs that the training had not seen."""
    if not any(row["exposures"] for row in rows):
        return
    columns = [f"{name}, {how}" for name in NAMES for how in ("seen", "not seen")]
    yield ""
    yield from header("setting", "exposure", "folds", "pictures", *columns)
    for row in rows:
        for told in row["exposures"]:
            cells = []
            for name in JUDGED:
                cells += [show(told["seen"][name]), show_change(told["against"][name])]
            folds = ", ".join(map(str, told["folds"]))
            start = f"| {row['setting']} | {told['exposure']} | {folds} | {told['pictures']} | "
            yield f"{start}{' | '.join(cells)} |"


def reference_lines() -> Iterator[str]:
    """The reference repository's learner, scored in its way and in ours."""
    files = sorted((RESULTS / "reference").glob("*.json"))
    if not files:
        return
    yield ""
    yield from header(
        "reference learner", "split", "scored", "pooled Dice", "AUROC", "escapes", "false alarms"
    )
    for path in files:
        told = json.loads(path.read_text(encoding="utf-8"))
        recipe = told["recipe"]
        name = f"{recipe['epochs']} epochs at {recipe['learning_rate']:g}"
        split = told["split"] if told["split"] == "random" else f"surfaces, fold {told['split']}"
        for way, scores in told["scores"].items():
            cells = [show_reference(scores, key) for key in REFERENCE]
            yield f"| {name} | {split} | {WAYS[way]} | {' | '.join(cells)} |"


def show_reference(scores: dict[str, Any], name: str) -> str:
    """Its own way has one score, whose interval is not named."""
    if name not in scores:
        return ""
    ends = scores["interval"]
    ends = ends.get(name, ends)
    return show({"value": scores[name], **ends, "deviation": None})


def header(*names: str) -> Iterator[str]:
    """The first two lines of a table."""
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"


def show(score: dict[str, Any]) -> str:
    """Such as `0.512 (0.401 – 0.607)`, between the seeds ± their deviation."""
    if score["value"] is None:
        return "undefined"
    spread = "" if score["deviation"] is None else f" ± {score['deviation']:.3f}"
    return f"{score['value']:.3f}{spread} ({score['low']:.3f} – {score['high']:.3f})"


def show_change(told: dict[str, Any]) -> str:
    """Such as `+0.041 (+0.010 – +0.071): better`."""
    if told["low"] is None:
        return str(told["verdict"])
    spread = f"{told['low']:+.3f} – {told['high']:+.3f}"
    return f"{told['difference']:+.3f} ({spread}): {told['verdict']}"


def insert(page: str, text: str) -> str:
    """The page with another text between the marks."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{text}\n{END}{after}"


if __name__ == "__main__":
    try:
        main()
    except DefectsegError as error:
        raise SystemExit(f"error: {error}") from error
