"""Changed pictures and two revisions in, what both models draw on them out, ready for a page.

Both models are run on the few pictures. One that cannot be had is said, and the rest stands.
H rows, W columns.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from defectseg.comparison.changes import explain_storage, open_tiles
from defectseg.comparison.pictures import Change
from defectseg.data.audit.versions import TileVersion
from defectseg.data.picture import decode_mask, decode_picture
from defectseg.errors import DefectsegError
from defectseg.evaluation.gallery import Panel
from defectseg.evaluation.report.thumbnails import Thumbnail, draw_panel
from defectseg.evaluation.trained_engine import POINT, TrainedEngine
from defectseg.inference.operating_point import OperatingPoint, read_point
from defectseg.inference.predictor import predict
from defectseg.revisions.revision import Revision

WEIGHTS = "models/unet.safetensors"
FILES = (WEIGHTS, "models/unet.json", f"models/{POINT}")
SIDE = 240  # px, the longer side of a small picture
Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Drawn:
    """One changed picture as a page shows it."""

    caption: str
    thumbnails: tuple[Thumbnail, ...]  # picture, truth, then base and head as far as there are


@dataclass(frozen=True)
class Overlays:
    """All of them."""

    drawn: tuple[Drawn, ...]
    classes: tuple[str, ...]  # by whose index they are tinted
    problems: tuple[str, ...]  # what could not be drawn, and why


@dataclass(frozen=True)
class Model:
    """A model that draws."""

    name: str  # base or head
    engine: TrainedEngine
    point: OperatingPoint


def draw_overlays(base: Revision, head: Revision, changes: Sequence[Change]) -> Overlays:
    """Run both models on the pictures of head and lay their masks over them."""
    if not changes:
        return Overlays((), (), ())
    problems: list[str] = []
    try:
        with explain_storage():
            tiles = open_tiles(head)
    except (DefectsegError, OSError) as error:
        return Overlays((), (), (f"The pictures of {head.name} cannot be had: {error}",))
    models = []
    for what, revision in (("base", base), ("head", head)):
        try:
            models.append(load_model(what, revision))
        except (DefectsegError, OSError) as error:
            problems.append(f"The model of {revision.name} cannot be had: {error}")
    drawn = []
    for change in changes:
        try:
            with explain_storage():
                drawn.append(draw_change(change, tiles, models))
        except (DefectsegError, OSError, LookupError, ValueError) as error:
            problems.append(f"{change.id} cannot be drawn: {error}")
    return Overlays(tuple(drawn), tiles.classes, tuple(problems))


def load_model(what: str, revision: Revision) -> Model:
    """The network of a revision and its operating point.

    Raises:
        RevisionError: A file cannot be had.
        ModelFileError: A file is missing or damaged.
    """
    with tempfile.TemporaryDirectory() as folder:
        places = [revision.fetch(path, Path(folder)) for path in FILES]
        weights = places[0] or Path(folder) / WEIGHTS
        return Model(what, TrainedEngine(weights), read_point(weights.with_name(POINT)))


def draw_change(change: Change, tiles: TileVersion, models: Sequence[Model]) -> Drawn:
    """Picture, truth, and what each model says."""
    tile = tiles.tiles[change.id]
    content, true_mask = tiles.files.read(tile.image), decode_mask(tiles.files.read(tile.mask))
    shown = decode_picture(content, 3)
    panel = Panel(change.caption, shown, true_mask, np.zeros_like(true_mask))
    thumbnails = list(draw_panel(panel, tiles.classes, SIDE).thumbnails[:2])
    classes = [*tiles.classes, *(n for m in models for n in m.engine.facts.classes)]
    among = tuple(dict.fromkeys(classes))
    for model in models:
        picture = decode_picture(content, model.engine.facts.channels)
        mask = translate(
            predict(model.engine, picture, model.point).mask, model.engine.facts.classes, among
        )
        said = draw_panel(replace(panel, pred_mask=mask), among, SIDE).thumbnails[2]
        alt = said.alt.replace(": prediction: ", f": {model.name}: ", 1)
        thumbnails.append(replace(said, view=model.name, alt=alt))
    return Drawn(change.caption, tuple(thumbnails))


def translate(mask: Mask, classes: Sequence[str], among: Sequence[str]) -> Mask:
    """A mask (H, W) of one order of the classes in another, so that a colour means one class."""
    table = np.array([0, *(1 + among.index(name) for name in classes)], dtype=np.uint8)
    return table[mask]
