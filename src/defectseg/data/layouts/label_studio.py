"""A JSON export of Label Studio with its pictures in, each picture with what was drawn on it out.

project-1-at-2026-01-31.json, images/<id>.jpg

Several exports in one folder are one data set. A task names its picture by an address, a path or
the name that Label Studio gave an upload; it is looked up by name below the folder, and nothing is
fetched.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from defectseg.data.faults import Fault, FaultKind
from defectseg.data.layouts.folders import other_pictures, sort_files
from defectseg.data.layouts.label_studio_regions import RegionDrawing, read_drawing
from defectseg.data.layouts.label_studio_tasks import Task, find_exports, read_tasks
from defectseg.data.layouts.layout import Batch, Layout, Record
from defectseg.data.layouts.named_pictures import NamedPictures
from defectseg.data.layouts.pairing import refuse_same_id, to_id
from defectseg.data.picture import SUFFIXES
from defectseg.errors import DataError

ABOUT = "<project>.json as Label Studio exports it (JSON, not JSON-MIN), with images/<id>.jpg"
SHOWN = 5  # tasks of one picture, in a message
MAX_DEPTH = 20  # folders of a path that are looked at
KEY = "image"  # of a task's data: its picture, where several values are named like one
MAX_REFERENCE = 4096  # characters of an address or path
UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-")  # that Label Studio puts before an uploaded name


@dataclass(frozen=True)
class _Labelled:
    """A task whose picture was found."""

    name: str  # what messages call it
    drawing: RegionDrawing | str  # or why it cannot be drawn
    batch: Batch


def fits(folder: Path) -> bool:
    """Whether a folder holds an export of Label Studio."""
    return bool(find_exports(folder))


def read(root: Path) -> Layout:
    """Read every export in a folder.

    Raises:
        DataError: A file is no good export.
    """
    exports = find_exports(root)
    reading = _Reading(root)
    for path in exports:
        for name, task in read_tasks(path):
            reading.add(name, task)
    records = sorted(reading.records(), key=lambda record: record.id)
    pictures = list(reading.pictures)
    return Layout(
        name="label_studio",
        root=root,
        records=tuple(records),
        labels=tuple(sorted(reading.labels)),
        files=sort_files(root, [*exports, *pictures]),
        ignored=other_pictures(root, pictures),
        faults=tuple(reading.faults),
    )


class _Reading:
    """One run over all tasks of a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.found = NamedPictures(root)
        self.pictures: dict[Path, list[_Labelled]] = defaultdict(list)  # [] where nothing is drawn
        self.unlabelled: dict[Path, str] = {}  # why not
        self.labels: set[str] = set()
        self.faults: list[Fault] = []

    def add(self, name: str, task: Task) -> None:
        """Keep what one task says about its picture."""
        try:
            picture = _find_picture(task.data, self.found)
        except DataError as error:
            self.faults.append(Fault(FaultKind.NO_PICTURE, name, str(error)))
            return
        labelled = self.pictures[picture]
        annotation = task.choose()
        if annotation is None:
            self.unlabelled.setdefault(picture, f"{name}: {task.why_unlabelled}")
            return
        drawing: RegionDrawing | str
        try:
            drawing = read_drawing(name, annotation.result)
        except DataError as error:
            drawing = str(error)
        labelled.append(_Labelled(name, drawing, task.batch(annotation)))

    def records(self) -> Iterator[Record]:
        """Every picture that one task has labelled; the others become faults."""
        same_id: dict[str, list[Path]] = defaultdict(list)
        for picture in sorted(self.pictures):
            same_id[self._id_of(picture).casefold()].append(picture)
        for same in same_id.values():
            picture, picture_id = same[0], self._id_of(same[0])
            tasks = self.pictures[picture]
            if len(same) > 1:
                self.faults += refuse_same_id(picture_id, [self._shown(each) for each in same])
            elif not tasks:
                self._refuse(FaultKind.NO_MASK, picture, self.unlabelled[picture])
            elif len(tasks) > 1:
                names = " and ".join(task.name for task in tasks[:SHOWN])
                self._refuse(FaultKind.TWO_MASKS, picture, names)
            elif isinstance(tasks[0].drawing, str):
                self._refuse(FaultKind.BAD_LABEL, picture, tasks[0].drawing)
            else:
                self.labels |= tasks[0].drawing.names
                yield Record(picture_id, picture, tasks[0].drawing, None, tasks[0].batch)

    def _refuse(self, kind: FaultKind, picture: Path, detail: str) -> None:
        self.faults.append(Fault(kind, self._shown(picture), detail, self._id_of(picture)))

    def _id_of(self, picture: Path) -> str:
        return to_id(self.found.key(picture))

    def _shown(self, picture: Path) -> str:
        return picture.relative_to(self.root).as_posix()


def _find_picture(data: Mapping[str, Any], pictures: NamedPictures) -> Path:
    """The picture that a task is about.

    Raises:
        DataError: Its data name no picture, several, or one that is not below the folder.
    """
    named = {key: names for key, value in data.items() if (names := _local_names(value))}
    if KEY not in named and len(named) != 1:
        keys = [key[:40] for key in named]
        raise DataError(f"its data name {len(named)} pictures {keys[:5]}; expected one, as {KEY!r}")
    names = named[KEY] if KEY in named else next(iter(named.values()))
    for name in names[:-1]:
        try:
            return pictures.find(name)
        except DataError:
            continue
    return pictures.find(names[-1])


def _local_names(reference: object) -> Sequence[str]:
    """Names that the file of a picture may have below a folder, the most exact one first.

    Args:
        reference: A value of a task's data; () of what is not named like a picture.

    Raises:
        DataError: The path leads upwards.
    """
    if not isinstance(reference, str) or len(reference) > MAX_REFERENCE:
        return ()
    names = [name for path in _local_paths(reference) for name in _endings(path)]
    return [name for name in names if PurePosixPath(name).suffix.lower() in SUFFIXES]


def _local_paths(reference: str) -> list[str]:
    """The path that an address or a path points to; without an address also as it is."""
    try:
        url = urlsplit(reference)
        query = parse_qs(url.query).get("d", [])
    except ValueError:
        return [reference]
    if query and "local-files" in url.path:
        return [query[0]]
    return [unquote(url.path)] if url.scheme and url.netloc else [reference, unquote(url.path)]


def _endings(path: str) -> Iterator[str]:
    """A path, what remains of it below each of its folders, and the name before its upload.

    Raises:
        DataError: The path leads upwards.
    """
    parts = [part for part in path.replace("\\", "/").split("/") if part not in {"", "."}]
    if ".." in parts:
        raise DataError(f"{path[:200]!r} leads out of its folder; name a file below it")
    parts = parts[-MAX_DEPTH:]
    for depth in range(len(parts)):
        yield "/".join(parts[depth:])
    if parts:
        yield UPLOAD_PREFIX.sub("", parts[-1])
