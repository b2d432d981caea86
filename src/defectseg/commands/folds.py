"""`defectseg folds`: the experiments of a cross-validation in, one table of their scores out."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from defectseg.commands.failing import explain_failure
from defectseg.commands.table import format_table, write_report
from defectseg.errors import DataError
from defectseg.experiments.folds import (
    Fold,
    ScoreSpread,
    check_folds,
    missing_folds,
    read_fold,
    summarise_folds,
)
from defectseg.experiments.queue import WAITING, Queue, find_experiments, read_queue

POLL = 5.0  # seconds between two looks at the queue
PATIENCE = 60.0  # seconds for a worker to start, or to note down that it has finished
MOST_FOLDS = 10_000


def folds(
    prefix: Annotated[str, typer.Option(help="Fold 0 is the experiment <prefix>-0.")] = "cv",
    wait: Annotated[bool, typer.Option(help="Wait until the queue has run them.")] = False,
    json: Annotated[Path | None, typer.Option("--json", help="Write it to this file.")] = None,
    markdown: Annotated[bool, typer.Option(help="A Markdown table instead of text.")] = False,
) -> None:
    """Show each score of a cross-validation: its mean over the folds, and how much they differ."""
    with explain_failure():
        failed = wait_for_queue(prefix) if wait else ()
        found = find_experiments(prefix)
        if not found:
            raise DataError(
                f"no experiment {prefix}-0, {prefix}-1, … has succeeded{_advise(failed)}; "
                "run the folds by `make cv`"
            )
        read = [read_fold(experiment, number) for number, experiment in found.items()]
        check_folds(read)
        expected = int(read[0].params["data_split.folds"])
        missing = missing_folds(list(found), expected)
        spreads = summarise_folds([fold.scores for fold in read])
        content = describe_folds(read, spreads, missing)
        write_report(json, content)
    for line in format_folds(spreads, len(read), expected, markdown):
        typer.echo(line)
    if missing:
        names = ", ".join(f"{prefix}-{number}" for number in missing)
        typer.echo(f"error: missing folds: {names}{_advise(failed)}", err=True)
        raise typer.Exit(1)


def wait_for_queue(prefix: str) -> tuple[str, ...]:
    """Wait until DVC runs none of our experiments any more; the names of those that failed.

    Raises:
        DataError: They wait, but no worker runs.
    """
    names = [f"{prefix}-{number}" for number in range(MOST_FOLDS)]
    shown, idle_since = "", time.monotonic()
    while True:
        queue = read_queue()
        waiting = queue.named(names, WAITING)
        progress = describe_progress(queue, names)
        if progress != shown:
            typer.echo(progress, err=True)
        if not waiting:
            return queue.named(names, ["Failed"])
        if queue.workers or progress != shown:
            idle_since = time.monotonic()
        if time.monotonic() - idle_since > PATIENCE:
            raise DataError(f"{', '.join(waiting)} wait but no worker runs; `dvc queue start`")
        shown = progress
        time.sleep(POLL)


def describe_progress(queue: Queue, names: Iterable[str]) -> str:
    """Such as `queued 3, running cv-1 cv-2, done 1, failed 0`."""
    wanted = list(names)
    queued, running, done, failed = (
        queue.named(wanted, [status]) for status in ("Queued", "Running", "Success", "Failed")
    )
    now = f"running {' '.join(running)}" if running else "running 0"
    return f"queued {len(queued)}, {now}, done {len(done)}, failed {len(failed)}"


def describe_folds(
    read: Sequence[Fold], spreads: Sequence[ScoreSpread], missing: Sequence[int]
) -> dict[str, object]:
    """Everything, for a file."""
    return {
        "interval": "95 %, Student t over the folds",
        "missing": list(missing),
        "scores": {spread.name: _without_name(spread) for spread in spreads},
        "folds": {fold.name: fold.scores for fold in read},
    }


def format_folds(
    spreads: Sequence[ScoreSpread], count: int, expected: int, markdown: bool
) -> list[str]:
    """The table, and below it what the interval is."""
    header = ("score", "mean", "std", "min", "max", "95 % interval", "folds")
    rows = [
        (
            spread.name,
            _show(spread.mean),
            _show(spread.deviation),
            _show(spread.least),
            _show(spread.most),
            f"{_show(spread.low)} – {_show(spread.high)}",
            str(spread.folds),
        )
        for spread in spreads
    ]
    note = (
        f"{count} of {expected} folds. Interval of the mean: Student t over the folds in which the "
        "score is defined; they share training pictures, so the true one is somewhat wider."
    )
    return [*format_table(header, rows, markdown), "", note]


def _without_name(spread: ScoreSpread) -> dict[str, object]:
    return {key: value for key, value in asdict(spread).items() if key != "name"}


def _advise(failed: Sequence[str]) -> str:
    if not failed:
        return ""
    logs = ", ".join(f"`dvc queue logs {name}`" for name in failed)
    return f" ({', '.join(failed)} failed: see {logs})"


def _show(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
