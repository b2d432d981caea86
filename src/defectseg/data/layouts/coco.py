"""COCO files with their pictures in, each picture with what is drawn on it out.

annotations/instances_<part>.json or <any>.json, images/<id>.jpg

So CVAT and other tools export, too. Several files are one data set if no picture is in two of them;
their categories are matched by name. A picture without an annotation is one without a defect.
Annotations lie above each other in the order of the file; crowds are drawn like all others.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from defectseg.data.faults import Fault, FaultKind
from defectseg.data.labels.run_lengths import paint_runs
from defectseg.data.layouts.coco_file import (
    CocoFile,
    ImageEntry,
    looks_like_coco,
    read_coco,
    show_id,
)
from defectseg.data.layouts.coco_regions import Id, Region
from defectseg.data.layouts.folders import files_in, other_pictures, sort_files, subfolder
from defectseg.data.layouts.layout import Layout, Record
from defectseg.data.layouts.named_pictures import NamedPictures
from defectseg.data.layouts.pairing import refuse_same_id, to_id
from defectseg.data.tile import CLEAN
from defectseg.errors import SHOWN, DataError, LayoutError

ABOUT = "annotations/<any>.json or <any>.json in COCO format, with images/<id>.jpg"
MAX_FILES = 100  # looked at in one folder: other tools write one file a picture
WRONG_SHOWN = 5  # annotations of one picture
PREFIX = "instances_"  # of a file, before the part of the data set that it describes


@dataclass(frozen=True, eq=False)
class CocoDrawing:
    """The regions of a picture, each with its label; later ones lie above earlier ones."""

    size: tuple[int, int] | None
    regions: tuple[tuple[str, Region], ...]

    @property
    def names(self) -> frozenset[str]:
        """See `Drawing.names`."""
        return frozenset(label for label, _ in self.regions)

    def draw(self, size: tuple[int, int], index: Mapping[str, int]) -> npt.NDArray[np.uint8]:
        """See `Drawing.draw`."""
        if self.size not in {None, size}:
            raise DataError(f"labelled at the size {self.size}, but the picture has {size}")
        mask = np.zeros(size, dtype=np.uint8)  # on its side, as run lengths go
        wrong = []
        for label, region in self.regions:
            if not index[label]:
                continue
            try:
                paint_runs(mask, region.shape.runs(size), index[label])
            except DataError as error:
                wrong.append(f"{region.name}: {error}")
        if wrong:
            raise DataError(_join(wrong))
        return np.ascontiguousarray(mask.T)


def fits(folder: Path) -> bool:
    """Whether a folder, or annotations/ in it, holds a COCO file."""
    return bool(_find_files(folder))


def read(root: Path) -> Layout:
    """Read every COCO file of a folder.

    Raises:
        LayoutError: A file is no good COCO file, or two files describe one picture.
    """
    files = _find_files(root)
    reading = _Reading(root)
    for path in files:
        reading.add(read_coco(path))
    records = sorted(reading.records(), key=lambda record: record.id)
    pictures = list(reading.pictures)
    return Layout(
        name="coco",
        root=root,
        records=tuple(records),
        labels=tuple(reading.labels),
        files=sort_files(root, [*files, *pictures] if reading.images else ()),
        ignored=other_pictures(root, pictures),
        faults=tuple(reading.faults),
    )


def _find_files(folder: Path) -> list[Path]:
    inner = subfolder(folder, "annotations")
    folders = [folder, inner] if inner else [folder]
    found = [path for each in folders for path in files_in(each, [".json"])[:MAX_FILES]]
    return [path for path in found if looks_like_coco(path)]


class _Reading:
    """One run over all files of a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images = 0  # that the files list
        self.labels: dict[str, None] = {}  # of all files, in their order
        self.pictures: dict[Path, list[tuple[CocoFile, ImageEntry]]] = defaultdict(list)
        self.named = NamedPictures(root)
        self.faults: list[Fault] = []

    def add(self, coco: CocoFile) -> None:
        """Find the pictures of a file.

        Raises:
            LayoutError: An earlier file describes some of them.
        """
        part = coco.path.stem.removeprefix(PREFIX)
        named = NamedPictures(self.root, [self.root / "images" / part, self.root / part])
        self.images += len(coco.images)
        self.labels |= dict.fromkeys(label for label in coco.labels.values() if label != CLEAN)
        twice = []
        for image in coco.images.values():
            try:
                picture = named.find(image.file_name)
            except DataError as error:
                self._refuse(FaultKind.NO_PICTURE, coco.path, str(error))
                continue
            described = self.pictures[picture]
            if described and described[0][0] is not coco:
                earlier = described[0][0].path.name
                twice.append(f"  {self._shown(picture)}: {earlier} and {coco.path.name}")
            described.append((coco, image))
        if twice:
            shown = "\n".join(twice[:SHOWN])
            raise LayoutError(
                f"{len(twice)} pictures are described by two files:\n{shown}\n"
                "Keep the file that is meant, and move the other one away."
            )
        self._refuse_unknown_images(coco)

    def records(self) -> Iterator[Record]:
        """Every picture without a fault; the others become faults."""
        same_id: dict[str, list[Path]] = defaultdict(list)
        for picture in sorted(self.pictures):
            same_id[self._id_of(picture).casefold()].append(picture)
        for same in same_id.values():
            picture, described = same[0], self.pictures[same[0]]
            coco, image = described[0]
            if len(same) > 1:
                files = [self._shown(each) for each in same]
                self.faults += refuse_same_id(self._id_of(picture), files)
            elif len(described) > 1:
                names = " and ".join(f"image {show_id(each.id)}" for _, each in described)
                self._refuse(FaultKind.TWO_MASKS, picture, f"{names} of {coco.path.name}")
            elif wrong := _find_wrong(coco, image.id):
                self._refuse(FaultKind.BAD_LABEL, picture, _join(wrong))
            else:
                drawing = _to_drawing(coco, image)
                yield Record(self._id_of(picture), picture, drawing, None, coco.batch_of(image))

    def _refuse_unknown_images(self, coco: CocoFile) -> None:
        for image_id in dict.fromkeys([*coco.regions, *coco.wrong]):
            if image_id not in coco.images:
                count = len(coco.regions.get(image_id, ())) + len(coco.wrong.get(image_id, ()))
                detail = f"{count} annotations on image {show_id(image_id)}, which it does not list"
                self._refuse(FaultKind.NO_PICTURE, coco.path, detail)

    def _refuse(self, kind: FaultKind, file: Path, detail: str) -> None:
        picture_id = self._id_of(file) if file in self.pictures else ""
        self.faults.append(Fault(kind, self._shown(file), detail, picture_id))

    def _id_of(self, picture: Path) -> str:
        return to_id(self.named.key(picture))

    def _shown(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def _find_wrong(coco: CocoFile, image_id: Id) -> list[str]:
    """The annotations of a picture that cannot be drawn."""
    unknown = [
        f"{region.name}: its category {show_id(region.category)} is not in the list"
        for region in coco.regions.get(image_id, ())
        if region.category not in coco.labels
    ]
    return [*coco.wrong.get(image_id, ()), *unknown]


def _to_drawing(coco: CocoFile, image: ImageEntry) -> CocoDrawing:
    labelled = ((coco.labels[each.category], each) for each in coco.regions.get(image.id, ()))
    return CocoDrawing(image.size, tuple(pair for pair in labelled if pair[0] != CLEAN))


def _join(wrong: Sequence[str]) -> str:
    rest = len(wrong) - WRONG_SHOWN
    return "; ".join([*wrong[:WRONG_SHOWN], *([f"and {rest} more"] if rest > 0 else [])])
