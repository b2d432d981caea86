"""`defectseg predict`: pictures in, verdicts, defects, masks and overlays out."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from defectseg.commands.failing import explain_failure
from defectseg.inference.open_engine import EngineName


class Format(StrEnum):
    """What is written; a list of Literals is more than Typer understands."""

    JSON = "json"
    CSV = "csv"
    COCO = "coco"
    PNG = "png"
    OVERLAY = "overlay"


STREAMED = (Format.JSON, Format.CSV)  # those that can go to stdout
MODELS: dict[EngineName, Path] = {  # what each engine runs
    "onnxruntime": Path("models/unet.onnx"),
    "openvino": Path("models/unet.onnx"),
    "torch": Path("models/unet.safetensors"),
}
WRONG = 2  # exit status

Paths = Annotated[
    list[str] | None,
    typer.Argument(
        help="Files, folders, globs in quotes; `-` reads a list of them from stdin.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(help="A folder for what is written; the same one again goes on where it ended."),
]
Formats = Annotated[
    list[Format],
    typer.Option("--format", help="What is written; say it again for several."),
]
Engine = Annotated[EngineName, typer.Option(help="What runs the model.")]
Model = Annotated[
    Path | None,
    typer.Option(
        help="The model file; by default models/unet.onnx, for torch models/unet.safetensors.",
        show_default=False,
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        min=0,
        max=256,
        help="Pictures that are worked on at once; 0: one more than cores, at most 8.",
    ),
]
Threads = Annotated[
    int, typer.Option(min=0, max=1024, help="Threads of the engine; 0: one a core.")
]
Scale = Annotated[
    float | None,
    typer.Option(help="The side of a pixel on the surface: adds the area of each defect in mm²."),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Go on for ever with what a camera drops into this folder."
    ),
]
Poll = Annotated[float, typer.Option(help="Seconds between two looks at that folder.")]
Null = Annotated[bool, typer.Option("--null", help="The list on stdin ends paths with NUL bytes.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing on stderr but errors.")]


def predict(
    paths: Paths = None,
    out: Out = None,
    formats: Formats = [Format.JSON],  # noqa: B006 (Typer shows it, nobody changes it)
    engine: Engine = "onnxruntime",
    model: Model = None,
    workers: Workers = 0,
    threads: Threads = 0,
    mm_per_pixel: Scale = None,
    watch: Folder = None,
    poll: Poll = 1.0,
    null: Null = False,
    quiet: Quiet = False,
) -> None:
    """Tell of each picture whether to accept, review or reject it, and where its defects are.

    Exits with 0 if every picture has a result, 1 if some could not be read, 2 if the command, the
    model or the output folder is wrong, 130 if interrupted.
    """
    with explain_failure(status=WRONG):
        refuse_contradictions(paths, out, formats, mm_per_pixel, watch, poll)
        # The engine's packages take a second to import: a wrong option and --help need not wait.
        from defectseg.commands.predict_run import Wish, run_predict

        kinds = tuple(dict.fromkeys(form.value for form in formats))
        chosen = model or MODELS[engine]
        names = tuple(paths or ())
        where = Wish(names, out, kinds, engine, chosen, workers, threads, mm_per_pixel)
        status = run_predict(replace(where, watch=watch, poll=poll, null=null, quiet=quiet))
    raise typer.Exit(status)


def refuse_contradictions(
    paths: Sequence[str] | None,
    out: Path | None,
    formats: Sequence[Format],
    mm_per_pixel: float | None,
    watch: Path | None,
    poll: float,
) -> None:
    """Raises: typer.BadParameter: The options do not go together."""
    if not paths and watch is None:
        raise typer.BadParameter("name pictures, folders, a quoted glob or -, or --watch FOLDER")
    if paths and watch is not None:
        raise typer.BadParameter("--watch takes its own folder; leave out the other PATHS")
    if mm_per_pixel is not None and not 0 < mm_per_pixel < float("inf"):
        raise typer.BadParameter(f"--mm-per-pixel is {mm_per_pixel}; expected a length above 0")
    if not 0 < poll < float("inf"):
        raise typer.BadParameter(f"--poll is {poll}; expected seconds above 0")
    if out is not None:
        return
    files = [form for form in formats if form not in STREAMED]
    if files:
        raise typer.BadParameter(
            f"--format {files[0].value} makes files; name a folder for them with --out"
        )
    if len(set(formats)) > 1:
        raise typer.BadParameter("only one format fits on stdout; name a folder with --out")
