"""`defectseg experiments`: DVC's experiments in, a sorted table with verdicts out."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from defectseg.commands.failing import explain_failure
from defectseg.commands.folds import describe_progress
from defectseg.commands.table import format_table, write_report
from defectseg.comparison.compare import Judged, compare_revisions
from defectseg.errors import ComparisonError, DataError, RevisionError
from defectseg.experiments.queue import (
    NAME,
    Queue,
    list_experiments,
    of_one_baseline,
    read_queue,
)
from defectseg.experiments.results import Interval, Result, read_result, sort_results
from defectseg.experiments.traps import describe_trouble, find_traps
from defectseg.revisions.revision import Revision, open_revision

POLL = 3.0  # seconds between two looks at the queue
PATIENCE = 45.0  # seconds for a worker to start, or to note down that it has finished
ROOT = Path()
Verdicts = Mapping[str, Mapping[str, Judged] | str]  # name → metric → verdict, or why there is none


def experiments(
    sort: Annotated[str, typer.Option(help="The score to sort by, best first.")] = "iou_macro",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the queue is empty.")] = False,
    check: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only tell whether NAME-1, NAME-2, … can be queued."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write every score and verdict to this file.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="A Markdown table.")] = False,
) -> None:
    """Show the experiments of this commit: scores, intervals, and whether they are better."""
    with explain_failure():
        if check is not None:
            refuse_traps(check)
            return
        queue = wait_for_all() if wait else read_queue()
        found = read_all()
        ranked = sort_results(found, sort) if found else []
        verdicts = {result.name: judge(found[0], result) for result in found[1:]}
        write_report(json, describe(ranked, found, verdicts, queue))
    for line in format_results(ranked, found, verdicts, sort, markdown):
        typer.echo(line)
    trouble = describe_trouble(queue)
    for line in [*trouble, *describe_gone(queue)]:
        say(line)
    if trouble and wait:
        raise typer.Exit(1)


def refuse_traps(prefix: str) -> None:
    """Say what a person must know before the experiments are queued; end where they would fail."""
    if not NAME.fullmatch(prefix):
        raise DataError(f"{prefix!r} is no name; use letters, digits, _ and -, such as sweep")
    traps = find_traps(prefix, read_queue(), ROOT)
    for remark in traps.remarks:
        say(remark)
    for refusal in traps.refusals:
        typer.echo(f"error: {refusal}", err=True)
    if traps.refusals:
        raise typer.Exit(1)


def wait_for_all() -> Queue:
    """Wait until DVC's queue is empty, or nobody works for it any more."""
    shown, since = "", time.monotonic()
    while True:
        queue = read_queue()
        progress = describe_progress(queue, [name for name, _ in queue.tasks])
        if progress != shown:
            say(progress)
        if not queue.is_waiting:
            return queue
        if progress != shown or not queue.is_stuck:
            since = time.monotonic()
        if time.monotonic() - since > PATIENCE:
            return queue
        shown = progress
        time.sleep(POLL)


def read_all() -> list[Result]:
    """The baseline, then its experiments; empty where there is none."""
    found = of_one_baseline(list_experiments())
    if not found:
        return []
    base = open_revision(found[0].baseline, ROOT)
    results = [read_result(Revision(f"baseline {found[0].baseline[:7]}", base.commit, ROOT))]
    for one in found:
        commit = open_revision(one.ref, ROOT).commit
        try:
            results.append(read_result(Revision(one.name, commit, ROOT)))
        except DataError as error:
            say(f"left out: {error}")
    return results


def judge(baseline: Result, result: Result) -> Mapping[str, Judged] | str:
    """The verdict on each score, or why there is none."""
    try:
        compared = compare_revisions(baseline.revision, result.revision)
    except (ComparisonError, RevisionError) as error:
        return str(error)
    return {row.metric: row for row in compared.judged}


def say(line: str) -> None:
    """What is not the table."""
    typer.echo(f"experiments: {line}", err=True)


def describe_gone(queue: Queue) -> list[str]:
    """Experiments that succeeded and whose result is not there any more."""
    kept = {one.name for one in list_experiments()}
    gone = [name for name, status in queue.tasks if status == "Success" and name not in kept]
    return [f"done, but their results were removed: {', '.join(gone)}"] if gone else []


def format_results(
    ranked: Sequence[Result], found: Sequence[Result], verdicts: Verdicts, sort: str, markdown: bool
) -> list[str]:
    """The table, and below it what could not be compared.

    Args:
        ranked: As they are shown.
        found: The same, the baseline first.
    """
    if not found[1:]:
        return ["no experiment has succeeded here; `make sweep` runs some"]
    baseline = found[0]
    header = ("experiment", sort, "95 % interval", "difference (95 %)", "verdict", "params")
    rows = [
        (
            result.name,
            show(result.scores.get(sort)),
            show_interval(result.intervals.get(sort)),
            *show_verdict(verdicts.get(result.name, {}), sort, result is baseline),
            show_params(result.changed_params(baseline)),
        )
        for result in ranked
    ]
    reasons = [f"{name}: {why}" for name, why in verdicts.items() if isinstance(why, str)]
    lines = format_table(header, rows, markdown)
    return [*lines, *(["", *reasons] if reasons else [])]


def show_verdict(
    judged: Mapping[str, Judged] | str, metric: str, is_baseline: bool
) -> tuple[str, str]:
    """The difference to the baseline with its interval, and what that says."""
    if is_baseline:
        return "", ""
    row = None if isinstance(judged, str) else judged.get(metric)
    if row is None:
        return "–", "not compared"
    difference = "–" if row.difference is None else f"{row.difference:+.3f}"
    if row.low is not None and row.high is not None:
        difference += f" ({row.low:+.3f} – {row.high:+.3f})"
    return difference, row.verdict


def show(value: float | None) -> str:
    """Three digits, or a dash."""
    return "–" if value is None else f"{value:.3f}"


def show_interval(interval: Interval | None) -> str:
    """Such as `0.415 – 0.630`."""
    return "–" if interval is None else f"{show(interval.low)} – {show(interval.high)}"


def show_params(params: Mapping[str, Any]) -> str:
    """Such as `train.learning_rate=0.003`."""
    return " ".join(f"{key}={value}" for key, value in params.items()) or "–"


def describe(
    ranked: Sequence[Result], found: Sequence[Result], verdicts: Verdicts, queue: Queue
) -> dict[str, object]:
    """Everything, for a file; see `format_results`."""
    return {
        "baseline": found[0].revision.commit if found else None,
        "experiments": [
            {
                "name": result.name,
                "commit": result.revision.commit,
                "is_baseline": result is found[0],
                "params": result.changed_params(found[0]),
                "scores": dict(result.scores),
                "intervals": {k: one.model_dump() for k, one in result.intervals.items()},
                "verdicts": describe_judged(verdicts.get(result.name, {})),
            }
            for result in ranked
        ],
        "queue": {"tasks": dict(queue.tasks), "workers": queue.workers, "active": queue.active},
    }


def describe_judged(judged: Mapping[str, Judged] | str) -> object:
    """The verdicts on every score, or why there is none."""
    return judged if isinstance(judged, str) else {k: asdict(row) for k, row in judged.items()}
