"""`defectseg data diff`: two versions of the tiles in, what changed between them out."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Annotated

import typer

from defectseg.commands.failing import explain_failure
from defectseg.commands.table import escape_markdown, format_table, write_report
from defectseg.data.audit.diff import DataDiff, Relabelled, diff_tiles
from defectseg.data.audit.versions import WORKSPACE, open_version
from defectseg.errors import SHOWN

TILES = Path("data/tiles")
WRONG = 2


def diff(
    before: Annotated[
        str,
        typer.Argument(metavar="REV1", help="A commit, branch, tag or experiment: the earlier."),
    ],
    after: Annotated[str, typer.Argument(metavar="[REV2]", help="The later.")] = WORKSPACE,
    markdown: Annotated[
        bool, typer.Option(help="Markdown, such as for a pull request, instead of text.")
    ] = False,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write every change to this file.")
    ] = None,
) -> None:
    """Show which pictures were added, removed, changed or relabelled, and which surfaces moved."""
    with explain_failure(status=WRONG):
        found = diff_tiles(open_version(before, TILES), open_version(after, TILES))
        write_report(json, asdict(found))
    for line in describe_diff(found, markdown):
        typer.echo(line)


def describe_diff(found: DataDiff, markdown: bool) -> list[str]:
    """What a person reads: counts, the class balance, then names."""
    title = f"Data: {found.before} → {found.after}"
    lines = [f"### {escape_markdown(title)}" if markdown else title, ""]
    if found.is_empty:
        return [*lines, f"no change in {found.pictures[1]} pictures"]
    rows = [
        ("pictures", _step(found.pictures)),
        ("surfaces", _step(found.surfaces)),
        ("added", str(len(found.added))),
        ("removed", str(len(found.removed))),
        ("picture changed", str(len(found.changed))),
        ("relabelled", str(len(found.relabelled))),
        ("class changed", str(len(found.class_changes))),
        ("siblings changed", str(len(found.moved))),
    ]
    lines += [*format_table(("what", "how many"), rows, markdown), ""]
    balance = [
        (row.defect_class, _step(row.pictures), _step(row.surfaces), _step(row.defect_px))
        for row in found.balance
    ]
    lines += format_table(("class", "pictures", "surfaces", "defect px"), balance, markdown)
    for heading, names in list_changes(found):
        lines += _list_names(heading, names, markdown)
    return lines


def list_changes(found: DataDiff) -> list[tuple[str, list[str]]]:
    """A heading and a line for each picture, of every kind of change that there is."""
    compared = [one for one in found.relabelled if one.iou is not None]
    agreement = ""
    if compared:
        iou = mean(one.iou or 0.0 for one in compared)
        class_iou = mean(one.class_iou or 0.0 for one in compared)
        agreement = f"; mean IoU with the mask before {iou:.3f}, by class {class_iou:.3f}"
    changes = {
        "added": list(found.added),
        "removed": list(found.removed),
        "picture changed": list(found.changed),
        f"relabelled, the least agreement first{agreement}": [
            _describe_label(one) for one in found.relabelled
        ],
        "class changed": [f"{one.id}: {one.before} → {one.after}" for one in found.class_changes],
        "siblings changed: the picture's surface has other pictures": list(found.moved),
    }
    return [(heading, names) for heading, names in changes.items() if names]


def _describe_label(one: Relabelled) -> str:
    by = f", by {one.labelled_by}" if one.labelled_by else ""
    pixels = f"{_step(one.defect_px)} px{by}"
    if one.iou is None or one.class_iou is None:
        return f"{one.id}: another size, {pixels}"
    return f"{one.id}: IoU {one.iou:.3f}, by class {one.class_iou:.3f}, {pixels}"


def _list_names(heading: str, names: Sequence[str], markdown: bool) -> list[str]:
    shown = [*names[:SHOWN], *([f"… and {len(names) - SHOWN} more"] if names[SHOWN:] else [])]
    if not markdown:
        return ["", f"{heading} ({len(names)})", *(f"  {name}" for name in shown)]
    items = [f"- {escape_markdown(name)}" for name in shown]
    summary = f"<details><summary>{heading} ({len(names)})</summary>"
    return ["", summary, "", *items, "", "</details>"]


def _step(values: tuple[int, int]) -> str:
    """Such as `12 → 14 (+2)`; one number where nothing changed."""
    before, after = values
    return f"{before} → {after} ({after - before:+})" if before != after else str(after)
