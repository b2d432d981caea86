"""`defectseg model list`: nothing in, every version, its commit and its stages out."""

from pathlib import Path
from typing import Annotated

import typer

from defectseg.commands.failing import explain_failure
from defectseg.commands.model.register import find_root
from defectseg.commands.table import format_table, write_report
from defectseg.registry.describe import stages_of
from defectseg.registry.registry import Registry, read_registry

HEADER = ("version", "commit", "registered", "by", "stages")


def list(
    json: Annotated[
        Path | None, typer.Option("--json", help="Write it to this file.", show_default=False)
    ] = None,
) -> None:
    """List the registered versions, the last one first."""
    with explain_failure():
        registry = read_registry(find_root())
        rows = list_rows(registry)
        write_report(json, [dict(zip(HEADER, row, strict=True)) for row in rows])
    if not rows:
        typer.echo("no version is registered; `make register VERSION=v1.0.0`")
        return
    for line in format_table(HEADER, rows):
        typer.echo(line)


def list_rows(registry: Registry) -> "tuple[tuple[str, ...], ...]":
    """One row a version."""
    return tuple(
        (
            version,
            event.commit[:12],
            f"{event.at:%Y-%m-%d %H:%M}",
            event.by,
            ", ".join(stages_of(registry, version)) or "–",
        )
        for version, event in reversed([*registry.versions.items()])
    )
