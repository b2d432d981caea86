"""`defectseg data check`: a source in, everything that is wrong with it out."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from defectseg.commands.failing import explain_failure
from defectseg.data.load import PAGE, QUARANTINE, LoadParams, check_source, write_pages
from defectseg.params import PARAMS, read_params


def check(
    source: Annotated[str, typer.Argument(help="A folder, a .zip or .tar.gz, or an address.")],
    report: Annotated[
        Path | None, typer.Option(help="Folder for a page with pictures of every finding.")
    ] = None,
    params: Annotated[
        Path, typer.Option(help="Its section data_load has layout, classes and severities.")
    ] = PARAMS,
) -> None:
    """Check pictures and labels as data_load does, without touching data/.

    Exits with 1 if something is an error by params.yaml: data_load.checks, with 2 if the source
    cannot be read at all.
    """
    with explain_failure(status=2), tempfile.TemporaryDirectory(prefix="defectseg-") as work:
        chosen = read_params("data_load", LoadParams, params)
        chosen = chosen.model_copy(update={"source": source, "digest": None})
        checked = check_source(chosen, Path(work))
        if report:
            write_pages(report, report / QUARANTINE, checked)
    loaded = checked.summary
    typer.echo(
        f"{source}: layout {loaded['layout']}, {loaded['pictures']} pictures of "
        f"{loaded['surfaces']} surfaces, classes {', '.join(checked.tile_set.classes)}"
    )
    for finding in sorted(checked.findings, key=lambda each: each.severity):
        typer.echo(f"{finding.severity:8}{finding.check:21}{finding.summary}")
    counts = Counter(finding.severity for finding in checked.findings)
    typer.echo(
        f"{counts['error']} errors, {counts['warning']} warnings, {len(checked.left_out)} files "
        + (f"left out; look at {report / PAGE}" if report else "left out; see them with --report")
    )
    raise typer.Exit(1 if checked.sections else 0)
