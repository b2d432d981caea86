"""Outcomes of pictures in, a progress bar, messages and one summary line on stderr out."""

import sys
import time
from collections import Counter
from typing import Any, Never, Self

import typer
from tqdm import tqdm

REDRAW = 0.2  # seconds


class Progress:
    """Counts what came of the pictures; draws a bar where stderr is a terminal."""

    def __init__(self, total: int | None, quiet: bool) -> None:
        """Args: total: None = nobody knows. quiet: errors only."""
        self.counts: Counter[str] = Counter()
        self.skipped = 0
        self._total = total
        self._quiet = quiet
        self._start = time.monotonic()
        self._bar: tqdm[Never] = tqdm(
            desc="predict",
            total=total,
            unit=" pictures",
            mininterval=REDRAW,
            disable=True if quiet else None,  # None: only on a terminal
            file=sys.stderr,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    @property
    def done(self) -> int:
        """Pictures that were predicted or failed in this run."""
        return sum(self.counts.values())

    @property
    def is_complete(self) -> bool:
        """Whether every picture is done, now or before."""
        return self.done + self.skipped == self._total

    def skip(self) -> None:
        """A picture was done before."""
        self.skipped += 1
        self._bar.update()

    def add(self, record: dict[str, Any]) -> None:
        """A picture is done; a failure is told at once."""
        if "error" in record:
            self.counts["failed"] += 1
            error = record["error"]
            self.say(f"error: {record['path']}: {error['message']} ({error['code']})")
        else:
            self.counts[record["verdict"]] += 1
        counts = self.counts
        self._bar.set_postfix(rejected=counts["reject"], failed=counts["failed"], refresh=False)
        self._bar.update()

    def say(self, message: str) -> None:
        """A line that the bar does not overwrite."""
        with self._bar.external_write_mode(file=sys.stderr):
            typer.echo(message, err=True)

    def sum_up(self) -> None:
        """The last line."""
        if not self._quiet:
            self._bar.close()
            typer.echo(self.summary(), err=True)

    def summary(self) -> str:
        """Such as `3 pictures: 1 accepted, 0 for review, 2 rejected, 0 failed; 12.3 pictures/s`."""
        seconds = max(time.monotonic() - self._start, 1e-9)
        counts = self.counts
        skipped = f" ({self.skipped} more were done before and are skipped)" if self.skipped else ""
        return (
            f"{self.done} {'picture' if self.done == 1 else 'pictures'}{skipped}: "
            f"{counts['accept']} accepted, {counts['review']} for review, "
            f"{counts['reject']} rejected, {counts['failed']} failed; "
            f"{self.done / seconds:.1f} pictures/s"
        )
