"""`defectseg data export`: labels or predictions in, a folder for a labelling tool out."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from defectseg.commands.failing import explain_failure
from defectseg.data.audit.leaks import PARTS
from defectseg.data.exports.export import Format, export_items, read_labels_of
from defectseg.data.exports.item import ExportItem, Shapes
from defectseg.data.layouts.folders import pictures_below
from defectseg.data.layouts.pairing import to_id
from defectseg.data.split import read_split
from defectseg.data.tile import TileSet, read_tiles
from defectseg.errors import DataError
from defectseg.inference.open_engine import open_engine
from defectseg.inference.predicted_items import predict_items

TILES = Path("data/tiles")
SPLIT = Path("data/split.csv")


def export(
    folder: Annotated[Path, typer.Argument(help="A new folder: pictures and label files.")],
    form: Annotated[Format, typer.Option("--format", help="What the labelling tool reads.")],
    predictions: Annotated[
        bool, typer.Option(help="What the model says, to be corrected, instead of the labels.")
    ] = False,
    pictures: Annotated[
        Path | None,
        typer.Option(help="Predict the pictures of this folder, labelled or not, not data/tiles."),
    ] = None,
    part: Annotated[
        str | None, typer.Option(help=f"Only tiles of one part: {', '.join(PARTS)}.")
    ] = None,
    shapes: Annotated[
        Shapes, typer.Option(help="Masks lose no pixel; polygons are easier to edit in some tools.")
    ] = "masks",
    model: Annotated[Path, typer.Option(help="The exported model.")] = Path("models/unet.onnx"),
) -> None:
    """Write labels or predictions for a labelling tool; what is corrected there can come back.

    Come back with `dvc exp run -S data_load.source=FOLDER` on what the tool exports: COCO from CVAT
    and others, JSON from Label Studio, or the masks themselves.
    """
    with explain_failure():
        if pictures and part is not None:
            raise DataError(f"--part chooses among {TILES}; leave it out with --pictures")
        if predictions or pictures:
            engine = open_engine(model)
            named = _list_pictures(pictures) if pictures else _list_tiles(_choose(part))
            items = predict_items(tqdm(named, desc="predict", unit="picture"), engine)
            classes = engine.facts.classes
        else:
            tiles = _choose(part)
            classes = tiles.classes
            items = _with_progress(read_labels_of(tiles), len(tiles.tiles))
        export_items(folder, classes, items, form, shapes)
    typer.echo(f"{folder}: {form}, classes {', '.join(classes)}")


def _choose(part: str | None) -> TileSet:
    tiles = read_tiles(TILES)
    if part is None:
        return tiles
    if part not in PARTS:
        raise DataError(f"there is no part {part!r}; expected one of {', '.join(PARTS)}")
    return tiles.only(read_split(SPLIT).ids(part))


def _list_tiles(tiles: TileSet) -> list[tuple[str, Path]]:
    return [(tile.id, tiles.folder / tile.image) for tile in tiles.tiles]


def _list_pictures(folder: Path) -> list[tuple[str, Path]]:
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; name one that holds pictures")
    paths = pictures_below(folder)
    if not paths:
        raise DataError(f"{folder} holds no picture")
    named = [(to_id(path.relative_to(folder).with_suffix("").as_posix()), path) for path in paths]
    counts = Counter(name.casefold() for name, _ in named)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise DataError(f"pictures that differ only in their ending or case: {', '.join(twice)}")
    return named


def _with_progress(items: Iterator[ExportItem], total: int) -> Iterator[ExportItem]:
    return iter(tqdm(items, desc="export", unit="picture", total=total))
