"""What results/table.json says in, the tables of docs/benchmark.md out."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from fold import RESULTS
from limits import LOST

from defectseg.data.tile import CLEAN
from results import CLASSES

START, END = "<!-- table.py: from here -->", "<!-- table.py: to here -->"
OVERALL = {
    "iou_macro": "macro IoU",
    "dice_pooled": "pooled Dice",
    "dice_per_image_mean": "Dice a picture",
    "image_auroc": "AUROC",
    "escape_rate": "escapes",
    "false_alarm_rate": "false alarms",
}
SHOWN = (
    *OVERALL,
    *(f"iou_{name}" for name in CLASSES),
    *(f"escape_rate_{name}" for name in CLASSES),
)
JUDGED = ("iou_macro", "dice_pooled", "image_auroc")
WAYS = {"own": "its way", "ours": "our way"}
REFERENCE = ("dice_pooled", "image_auroc", "escape_rate", "false_alarm_rate")
NAMES = tuple(OVERALL[name] for name in JUDGED)


def markdown(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The tables, line by line."""
    yield from header("setting", "seeds", *OVERALL.values())
    for row in rows:
        cells = [show(row["test"][name]) for name in OVERALL]
        yield f"| {row['setting']} | {len(row['seeds'])} | {' | '.join(cells)} |"
    yield from class_lines(rows, "IoU", "iou")
    yield from class_lines(rows, "escapes", "escape_rate")
    yield ""
    yield from header("setting", "what", *(f"valid: {name}" for name in NAMES), "size", "s a fold")
    for row in rows:
        told = row["against"]
        cells = [show_change(told[name]) if told else "" for name in JUDGED]
        what = f"{row['from']}, but {row['why']}" if row["from"] else row["why"]
        if told and told["setting"] != row["from"]:
            what += f"; judged against {told['setting']}"
        yield (
            f"| {row['setting']} | {what} | {' | '.join(cells)} | {show_size(row)} | "
            f"{row['train_seconds']:.0f} |"
        )
    best = max(rows, key=lambda row: float(row["valid"]["iou_macro"]["value"]))
    yield from fold_lines(best)
    yield from confusion_lines(best)
    yield from limit_lines(best)
    yield from surface_lines(best)
    yield from exposure_lines(rows)
    yield from leak_lines(rows)
    yield from reference_lines(best)
    yield from speed_lines()


def class_lines(rows: Sequence[dict[str, Any]], what: str, score: str) -> Iterator[str]:
    """One score of each class."""
    yield ""
    yield from header(f"setting, {what}", *CLASSES)
    for row in rows:
        cells = [show(row["test"][f"{score}_{name}"]) for name in CLASSES]
        yield f"| {row['setting']} | {' | '.join(cells)} |"


def fold_lines(row: dict[str, Any]) -> Iterator[str]:
    """The folds of a setting one by one."""
    yield ""
    yield from header(f"{row['setting']}, fold", *NAMES, *CLASSES)
    for told in row["folds"]:
        scores = [show_number(told[name]) for name in JUDGED]
        found = [
            f"{show_number(told[f'iou_{name}'])} of {told['surfaces'][name]}" for name in CLASSES
        ]
        yield f"| {told['fold']} | {' | '.join([*scores, *found])} |"


def confusion_lines(row: dict[str, Any]) -> Iterator[str]:
    """What the pixels of each class are taken for."""
    yield ""
    yield from header(f"{row['setting']}, true", *(f"said {name}" for name in (CLEAN, *CLASSES)))
    for name, counts in zip((CLEAN, *CLASSES), row["confusion"], strict=True):
        shares = [f"{100 * count / max(1, sum(counts)):.1f} %" for count in counts]
        yield f"| {name} | {' | '.join(shares)} |"


def limit_lines(row: dict[str, Any]) -> Iterator[str]:
    """The scores of a setting if one kind of error had not been made."""
    yield ""
    yield from header(f"{row['setting']}, if", *(OVERALL[n] for n in JUDGED[:2]), *CLASSES)
    names = (*JUDGED[:2], *(f"iou_{name}" for name in CLASSES))
    for question, scores in row["limits"].items():
        yield f"| {question} | {' | '.join(show_number(scores[name]) for name in names)} |"


def surface_lines(row: dict[str, Any]) -> Iterator[str]:
    """How even the scores are over the surfaces of each class."""
    yield ""
    columns = ("surfaces", "IoU of its kind", "IoU of any defect", f"below {LOST}", "largest")
    yield from header(f"{row['setting']}, by surface", *columns)
    for name, told in row["surfaces"].items():
        cells = [show_quartiles(told[which]) for which in ("own", "any")]
        lost = f"{told['lost']} | {100 * told['largest']:.0f} % of the pixels"
        yield f"| {name} | {told['surfaces']} | {' | '.join(cells)} | {lost} |"


def show_quartiles(values: Sequence[float]) -> str:
    """The median, and between which numbers half of the surfaces lie."""
    low, middle, high = map(show_number, values)
    return f"{middle} ({low} – {high})"


def show_number(value: float | None) -> str:
    """Such as `0.512`."""
    return "undefined" if value is None else f"{value:.3f}"


def exposure_lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What a camera setting costs that the training had not seen."""
    found = [(row, told) for row in rows for told in row["exposures"]]
    starts = [f"{row['setting']} | {told['exposure']}" for row, told in found]
    columns = ("setting", "exposure")
    yield from changed_lines(columns, starts, [told for _, told in found], "seen", "not seen")


def leak_lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What it flatters that pictures of a surface lie in train and in test."""
    found = [row for row in rows if row["leak"]]
    starts = [row["setting"] for row in found]
    told = [row["leak"] for row in found]
    yield from changed_lines(("setting",), starts, told, "surfaces apart", "random split")


def changed_lines(
    columns: Sequence[str],
    starts: Sequence[str],
    found: Sequence[dict[str, Any]],
    before: str,
    after: str,
) -> Iterator[str]:
    """Scores of some pictures and what changes by other models: see `table.set_against`."""
    if not found:
        return
    both = [f"{name}, {how}" for name in NAMES for how in (before, after)]
    yield ""
    yield from header(*columns, "folds", "pictures", *both)
    for start, told in zip(starts, found, strict=True):
        cells = []
        for name in JUDGED:
            cells += [show(told[before][name]), show_change(told["against"][name])]
        folds = ", ".join(map(str, told["folds"]))
        yield f"| {start} | {folds} | {told['pictures']} | {' | '.join(cells)} |"


def reference_lines(best: dict[str, Any]) -> Iterator[str]:
    """The reference repository's learner, scored in its way and in ours; the best setting beside.

    Of the best setting only folds that the reference has are told.
    """
    files = sorted((RESULTS / "reference").glob("*.json"))
    if not files:
        return
    yield ""
    yield from header(
        "reference learner", "split", "scored", *(OVERALL[name] for name in REFERENCE)
    )
    each = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    for told in each:
        recipe = told["recipe"]
        name = f"{recipe['epochs']} epochs at {recipe['learning_rate']:g}"
        name += "" if recipe["frozen_first"] else ", all layers at once"
        name += ", bfloat16" if recipe.get("bfloat16") else ""
        body = recipe.get("body", "resnet34")
        name += "" if body == "resnet34" else f", {body} with ImageNet weights"
        split = show_split(told["split"])
        for way, scores in told["scores"].items():
            cells = [show_reference(scores, key) for key in REFERENCE]
            yield f"| {name} | {split} | {WAYS[way]} | {' | '.join(cells)} |"
    splits = {told["split"] for told in each}
    for told in best["folds"]:
        if str(told["fold"]) in splits:
            cells = [show_number(told[key]) for key in REFERENCE]
            split = show_split(str(told["fold"]))
            yield f"| {best['setting']} | {split} | {WAYS['ours']} | {' | '.join(cells)} |"


def speed_lines() -> Iterator[str]:
    """What each network costs, and how many times the last of them, the yardstick, costs more."""
    path = RESULTS / "speed.json"
    if not path.exists():
        return
    told = json.loads(path.read_text(encoding="utf-8"))
    networks = told["networks"]
    yardstick = networks[-1]["fp32"]["p50_ms"]
    yield ""
    threads = told["setting"]["threads"]
    columns = (f"{what}, {threads} threads" for what in ("float32", "INT8"))
    yield from header("network", "size", *columns, "faster than the yardstick")
    for each in networks:
        cells = []
        for precision in ("fp32", "int8"):
            ms = each[precision]
            cells.append(f"{ms['p50_ms']:.1f} ms ({ms['p10_ms']:.1f} – {ms['p90_ms']:.1f})")
        faster = (f"{yardstick / each[how]['p50_ms']:.1f} ×" for how in ("fp32", "int8"))
        costs = " | ".join([show_size(each), *cells])
        yield f"| {each['name']} | {costs} | {', INT8 '.join(faster)} |"


def show_size(told: dict[str, Any]) -> str:
    """Such as `3.35 M`."""
    return f"{told['parameters'] / 1e6:.2f} M"


def show_split(split: str) -> str:
    """Such as `surfaces, fold 3`."""
    return split if split == "random" else f"surfaces, fold {split}"


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
    return f"{show_number(score['value'])}{spread} ({score['low']:.3f} – {score['high']:.3f})"


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
