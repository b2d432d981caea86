"""`defectseg compare`: two revisions in, whether the model got better out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from defectseg.commands.failing import explain_failure
from defectseg.commands.table import format_table, write_report
from defectseg.comparison.changes import find_changes
from defectseg.comparison.compare import compare_revisions
from defectseg.comparison.markdown import write_markdown
from defectseg.comparison.pictures import choose_changes
from defectseg.comparison.report import (
    Report,
    table_rows,
    tell_gates,
    tell_notes,
    tell_pictures,
    to_json,
)
from defectseg.data.audit.versions import WORKSPACE
from defectseg.errors import ComparisonError
from defectseg.files import write_atomically
from defectseg.revisions.revision import Revision, open_revision

WORSE = 1
FAILED = 2


def compare(
    base: Annotated[str, typer.Argument(metavar="BASE", help="A commit, branch, tag, experiment.")],
    head: Annotated[str, typer.Argument(metavar="[HEAD]", help="What is judged.")] = WORKSPACE,
    common: Annotated[
        bool, typer.Option(help="Where the test parts differ: score what both have.")
    ] = False,
    markdown: Annotated[
        Path | None, typer.Option(help="Write a comment for a pull request to this file.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with plots and pictures to this file.")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write it to this file.")] = None,
) -> None:
    """Say of each metric whether it is better, worse or cannot be told; 1 if a gated one is worse.

    Status 2: they could not be compared.
    """
    with explain_failure(status=FAILED):
        revisions = open_revision(base), open_revision(head)
        comparison = compare_revisions(*revisions, is_common=common)
        pictures = choose_changes(comparison.pairs) if comparison.pairs else ()
        report = Report(comparison, find_changes(*revisions), pictures)
        for line in describe(report):
            typer.echo(line)
        write_files(report, revisions, markdown, html, json)
    if comparison.worse_gates:
        raise typer.Exit(WORSE)


def describe(report: Report) -> Iterator[str]:
    """What a terminal shows."""
    comparison = report.comparison
    header = ("metric", "base", "head", "difference", "95 % interval", "verdict")
    yield from format_table(
        header,
        [
            (
                row.metric + (" (gate)" if row.is_gated else ""),
                row.base,
                row.head,
                row.difference,
                row.interval,
                row.verdict,
            )
            for row in table_rows(comparison)
        ],
    )
    yield ""
    told = (tell_pictures(comparison), tell_gates(comparison), *tell_notes(report))
    yield from filter(None, told)
    yield comparison.summary()


def write_files(
    report: Report,
    revisions: tuple[Revision, Revision],
    markdown: Path | None,
    html: Path | None,
    json: Path | None,
) -> None:
    """Write the reports that are asked for.

    Raises:
        ComparisonError: One cannot be written.
    """
    write_report(json, to_json(report))
    try:
        if markdown is not None:
            with write_atomically(markdown) as file:
                file.write(write_markdown(report))
        if html is not None:
            write_html(html, report, revisions)
    except OSError as error:
        raise ComparisonError(f"the report cannot be written: {error}; choose another") from error


def write_html(path: Path, report: Report, revisions: tuple[Revision, Revision]) -> None:
    """Draw the plots and the pictures, by both models, and write the page."""
    # torch takes seconds to import: only those who ask for the pictures wait for it
    from defectseg.comparison.overlays import Overlays, draw_overlays
    from defectseg.comparison.page import Drawings, write_page
    from defectseg.comparison.plots import draw_plots

    if not report.comparison.has_baseline:
        write_page(path, report, Drawings((), Overlays((), (), ()), ()))
        return
    charts, problems = draw_plots(*revisions)
    overlays = draw_overlays(*revisions, report.pictures)
    write_page(path, report, Drawings(charts, overlays, problems))
