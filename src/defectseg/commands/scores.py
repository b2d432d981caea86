"""`defectseg scores`: what the stage evaluate wrote in, the table of scores out."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

HEADLINES = (
    "dice_pooled",
    "iou_pooled",
    "dice_per_image_mean",
    "precision_pooled",
    "recall_pooled",
    "iou_macro",
    "image_auroc",
    "image_average_precision",
    "escape_rate",
    "false_alarm_rate",
    "review_rate",
    "defects_found_iou50",
)
PLACES = {
    "report": "metrics/report/index.html (open it in a browser), docs/model_card.md",
    "scores": "metrics/evaluate.json, metrics/per_image.csv",
    "plots": "dvc plots show → dvc_plots/index.html",
    "model": "models/unet.onnx (raw pictures in, probabilities and a mask out), models/README.md",
    "variants": "models/variants/, compared in metrics/variants/index.html",
    "weights": "models/unet.safetensors, models/unet.json, models/operating_point.json",
    "data": "data/tiles/manifest.csv, data/split.csv",
}


def scores(
    path: Annotated[Path, typer.Argument(help="What the stage evaluate wrote.")] = Path(
        "metrics/evaluate.json"
    ),
    markdown: Annotated[bool, typer.Option(help="A Markdown table instead of text.")] = False,
) -> None:
    """Show the scores of the test part with their 95 % intervals, and where everything lies."""
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        rows = [score_row(name, metrics) for name in select_scores(metrics)]
        counted = f"test part: {metrics['pictures']} pictures of {metrics['surfaces']} surfaces"
    except (OSError, ValueError, KeyError, TypeError) as error:
        typer.echo(f"no scores in {path}: {error!r}; run `make run` first", err=True)
        raise typer.Exit(1) from error
    typer.echo(counted)
    if markdown:
        typer.echo("| score | test | 95 % interval |\n|---|---|---|")
        typer.echo("\n".join(f"| `{name}` | {value} | {spread} |" for name, value, spread in rows))
        return
    typer.echo(f"{'score':26}{'test':>8}   95 % interval")
    typer.echo("\n".join(f"{name:26}{value:>8}   {spread}" for name, value, spread in rows))
    typer.echo("\n" + "\n".join(f"{what:10}{where}" for what, where in PLACES.items()))


def select_scores(metrics: dict[str, Any]) -> list[str]:
    """The headlines, then the IoU of each class."""
    classes = [name for name in metrics if name.startswith("iou_") and name not in HEADLINES]
    return [name for name in (*HEADLINES, *classes) if name in metrics]


def score_row(name: str, metrics: dict[str, Any]) -> tuple[str, str, str]:
    """Such as ("dice_pooled", "0.812", "0.771 – 0.849"); a dash where there is no number."""
    interval = metrics["interval"][name]
    spread = f"{_shown(interval['low'])} – {_shown(interval['high'])}"
    return name, _shown(metrics[name]), spread


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
