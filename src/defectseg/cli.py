"""The command line: `defectseg` and what it can be asked; each command is a file in commands/.

A command is imported when it is asked for: none waits for what only another needs, such as faiss.
"""

import os
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup
from typer.main import get_command


class LazyGroup(TyperGroup):
    """Commands that are imported by name: `predict` is the function `predict` of its module."""

    modules: ClassVar[dict[str, str]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """Every name, in the order of the list."""
        return [*self.modules, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import one command."""
        if cmd_name not in self.modules:
            return super().get_command(ctx, cmd_name)
        # Before anything imports ONNX Runtime: its wheel keeps a device id and events in ~/.cache.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        alone = typer.Typer(add_completion=False)
        alone.command(cmd_name)(getattr(import_module(self.modules[cmd_name]), cmd_name))
        return get_command(alone)


class TopCommands(LazyGroup):
    """`defectseg …`."""

    modules: ClassVar[dict[str, str]] = {
        "predict": "defectseg.commands.predict",
        "serve": "defectseg.commands.serve",
        "bench": "defectseg.commands.bench",
        "scores": "defectseg.commands.scores",
        "folds": "defectseg.commands.folds",
    }


class DataCommands(LazyGroup):
    """`defectseg data …`."""

    modules: ClassVar[dict[str, str]] = {
        "check": "defectseg.commands.check",
        "leaks": "defectseg.commands.leaks",
        "diff": "defectseg.commands.diff",
        "export": "defectseg.commands.export",
    }


def build_app() -> typer.Typer:
    """Every command, those about data below `defectseg data`."""
    top = typer.Typer(
        cls=TopCommands,
        no_args_is_help=True,
        add_completion=False,
        help="Defect segmentation that can be trusted.",
    )
    data = typer.Typer(
        cls=DataCommands,
        no_args_is_help=True,
        help="Check, compare and export pictures and their labels.",
    )
    top.add_typer(data, name="data")
    return top


app = build_app()
