"""`defectseg data leaks`: any split of any pictures in, what it shares between its parts out."""

from itertools import combinations
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from defectseg.commands.failing import explain_failure
from defectseg.commands.table import format_table, write_report
from defectseg.data.audit.collection import (
    AlikeParams,
    find_surfaces,
    list_pictures,
    open_collection,
)
from defectseg.data.audit.given_split import (
    GivenSplit,
    match_split,
    read_given_split,
    split_by_folders,
)
from defectseg.data.audit.leaks import PARTS, TRAIN, Leaks, find_leaks
from defectseg.data.sources.archives import Limits
from defectseg.data.surfaces.find import SurfaceParams
from defectseg.data.tile import read_tiles
from defectseg.errors import ParamsError
from defectseg.params import PARAMS, describe_faults, read_params

TILES = Path("data/tiles")
FOLDERS = "folders"  # instead of a table: the parts are folders
SHOWN = 5  # straddling surfaces of each two parts
SIMILARITY, NEIGHBOURS = 0.2, 16  # without a params.yaml; see params.yaml: data_load.surfaces
LIMITS = Limits(files=200_000, unpacked_bytes=16_384_000_000, ratio=200)  # of an archive
LEAKING = 1  # exit status; wrong input ends with 2, as wrong options do
WRONG = 2


Source = Annotated[
    Path | None,
    typer.Argument(
        help="A folder or archive of pictures in any arrangement; their surfaces are found from "
        "the pixels. Without it: data/tiles and its surfaces.",
        show_default=False,
    ),
]
Table = Annotated[
    str,
    typer.Option(
        help="A CSV with a column for the picture and one for its part, or `folders`: the parts "
        "are folders such as train/ and test/."
    ),
]
Partial = Annotated[bool, typer.Option(help="Let pictures that the split leaves out not count.")]
Report = Annotated[Path | None, typer.Option("--json", help="Write every leak to this file.")]
OF_PARAMS = "As data_load.surfaces of params.yaml, which is the default."
Similarity = Annotated[float | None, typer.Option(help=OF_PARAMS)]
Neighbours = Annotated[int | None, typer.Option(help=OF_PARAMS)]


def leaks(
    source: Source = None,
    split: Table = "data/split.csv",
    partial: Partial = False,
    json: Report = None,
    similarity: Similarity = None,
    neighbours: Neighbours = None,
) -> None:
    """Tell how many test pictures have a sibling, a picture of the same surface, in train.

    Exits with 0 if no surface lies in two parts, with 1 if one does, with 2 if the input is wrong.
    """
    with explain_failure(status=WRONG):
        if source is None:
            tiles = read_tiles(TILES).tiles
            given = read_parts(split, {tile.id: tile.image for tile in tiles}, partial)
            found = find_leaks(given.parts, {tile.id: tile.surface for tile in tiles})
        else:
            params = choose_params(similarity, neighbours)
            with open_collection(source, LIMITS) as folder:
                pictures = list_pictures(folder)
                given = read_parts(split, {path: path for path in pictures}, partial)
                found = find_leaks(given.parts, find_surfaces(folder, list(given.parts), params))
        write_report(json, found.to_json() | {"without_part": list(given.without_part)})
    for line in describe_leaks(found, len(given.without_part)):
        typer.echo(line)
    if found.straddling:
        raise typer.Exit(LEAKING)


def choose_params(similarity: float | None, neighbours: int | None) -> SurfaceParams:
    """How alike pictures of one surface are: as asked, else as params.yaml says, if there is one.

    Raises:
        ParamsError: A number is out of its range, or params.yaml is wrong.
    """
    if PARAMS.is_file():
        known = read_params("data_load", AlikeParams).surfaces
        similarity = known.similarity if similarity is None else similarity
        neighbours = known.neighbours if neighbours is None else neighbours
    chosen = {
        "source": "pixels",
        "column": "",
        "regex": None,
        "similarity": SIMILARITY if similarity is None else similarity,
        "neighbours": NEIGHBOURS if neighbours is None else neighbours,
    }
    try:
        return SurfaceParams.model_validate(chosen)
    except ValidationError as error:
        raise ParamsError(describe_faults("surfaces", error)) from error


def read_parts(split: str, pictures: dict[str, str], partial: bool) -> GivenSplit:
    """The part of each picture, by folders or by a table; see `data/audit/given_split`."""
    if split == FOLDERS:
        return split_by_folders(pictures, partial)
    return match_split(read_given_split(Path(split)), pictures, partial)


def describe_leaks(found: Leaks, without_part: int) -> list[str]:
    """What a person reads."""
    lines = [", ".join(f"{part} {found.pictures[part]}" for part in PARTS) + " pictures"]
    if without_part:
        lines.append(f"{without_part} pictures are not in the split and do not count")
    rows = [
        (f"{first} and {second}", str(len(found.shared(first, second))))
        for first, second in combinations(PARTS, 2)
    ]
    lines += ["", *format_table(("parts", "surfaces in both"), rows)]
    for first, second in combinations(PARTS, 2):
        lines += _name_examples(found, first, second)
    lines.append("")
    for part in PARTS:
        share = found.share(part)
        if part != TRAIN and share is not None:
            lines.append(
                f"{len(found.siblings(part))} of {found.pictures[part]} {part} pictures "
                f"({100 * share:.1f} %) have a sibling in train"
            )
    if found.straddling:
        lines.append("LEAK: a score on such a split flatters; keep each surface in one part")
    else:
        lines.append("no leak: every surface lies in one part")
    return lines


def _name_examples(found: Leaks, first: str, second: str) -> list[str]:
    shared = found.shared(first, second)
    lines = [f"{first} and {second}, such as:"] if shared else []
    for surface in shared[:SHOWN]:
        parts = found.straddling[surface]
        lines.append(f"  {parts[first][0]} ({first}) and {parts[second][0]} ({second})")
    return [*lines, f"  … and {len(shared) - SHOWN} more"] if len(shared) > SHOWN else lines
