"""The command line: `defectseg` and what it can be asked; each command is a file in commands/."""

import typer

from defectseg.commands.check import check
from defectseg.commands.diff import diff
from defectseg.commands.export import export
from defectseg.commands.folds import folds
from defectseg.commands.leaks import leaks
from defectseg.commands.scores import scores


def build_app() -> typer.Typer:
    """Every command, those about data below `defectseg data`."""
    top = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        help="Defect segmentation that can be trusted.",
    )
    data = typer.Typer(
        no_args_is_help=True, help="Check, compare and export pictures and their labels."
    )
    top.command()(scores)
    top.command()(folds)
    data.command()(check)
    data.command()(leaks)
    data.command()(diff)
    data.command()(export)
    top.add_typer(data, name="data")
    return top


app = build_app()
