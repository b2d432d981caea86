"""One COCO file in; its pictures, categories and regions out, types checked and nothing drawn."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from defectseg.data.labels.label import to_label
from defectseg.data.layouts.coco_regions import Id, Region, Side, describe, to_shape
from defectseg.data.layouts.json_lists import read_lists
from defectseg.data.layouts.layout import Batch
from defectseg.errors import SHOWN, DataError, LayoutError

LOOK_BYTES = 64 * 1024  # what is read at each end of a file to recognise it
LISTS = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')
NOTE_LENGTH = 200  # characters
IDS = ("id", "image_id")  # of an annotation


class _Entry(BaseModel):
    """Part of a file, hostile: types are strict, further keys are passed over."""

    model_config = ConfigDict(strict=True, frozen=True)


class ImageEntry(_Entry):
    """An item of `images`; the last three are written by our own export."""

    id: Id
    file_name: str
    width: Side | None = None  # px
    height: Side | None = None  # px
    labelled_by: str = ""
    labelled_at: str = ""
    label_tool: str = ""

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height, px."""
        return (self.width, self.height) if self.width and self.height else None


class _Category(_Entry):
    id: Id
    name: str


class _Annotation(_Entry):
    id: Id | None = None
    image_id: Id
    category_id: Id
    segmentation: Any = None


@dataclass
class CocoFile:
    """What one file says; built up while it is read."""

    path: Path
    images: dict[Id, ImageEntry] = field(default_factory=dict)
    labels: dict[Id, str] = field(default_factory=dict)  # category id → label, in the order of ids
    regions: dict[Id, list[Region]] = field(default_factory=lambda: defaultdict(list))
    wrong: dict[Id, list[str]] = field(default_factory=lambda: defaultdict(list))  # by picture
    batch: Batch = field(default_factory=Batch)
    damaged: list[str] = field(default_factory=list)  # entries that belong to no picture

    def batch_of(self, image: ImageEntry) -> Batch:
        """What is noted at a picture, else what is noted for all of them."""
        return Batch(
            _note(image.labelled_by) or self.batch.labelled_by,
            _note(image.labelled_at) or self.batch.labelled_at,
            _note(image.label_tool) or self.batch.label_tool,
        )

    def add_image(self, number: int, content: Any) -> None:
        try:
            image = ImageEntry.model_validate(content)
        except ValidationError as error:
            self.damaged.append(f"images[{number}]: {describe(error)}")
            return
        if image.id in self.images:
            self.damaged.append(f"images[{number}]: its id {show_id(image.id)} is taken")
        self.images[image.id] = image

    def add_category(self, number: int, content: Any) -> None:
        try:
            category = _Category.model_validate(content)
            label = to_label(category.name)
        except (ValidationError, LayoutError) as error:
            self.damaged.append(f"categories[{number}]: {describe(error)}")
            return
        if category.id in self.labels:
            self.damaged.append(f"categories[{number}]: its id {show_id(category.id)} is taken")
        self.labels[category.id] = label

    def add_annotation(self, number: int, content: Any) -> None:
        """A fault is that of its picture, if the annotation says which one."""
        known = content if isinstance(content, dict) else {}
        own, image = (known.get(key) if _is_id(known.get(key)) else None for key in IDS)
        name = f"annotations[{number}]" if own is None else f"annotation {show_id(own)}"
        try:
            annotation = _Annotation.model_validate(content)
            shape = to_shape(annotation.segmentation)
        except (ValidationError, DataError) as error:
            wrong = self.damaged if image is None else self.wrong[image]
            wrong.append(f"{name}: {describe(error)}")
        else:
            region = Region(name, annotation.category_id, shape)
            self.regions[annotation.image_id].append(region)


def looks_like_coco(path: Path) -> bool:
    """Whether a file starts like a JSON object and has two of the three lists near its ends."""
    try:
        with path.open("rb") as file:
            head = file.read(LOOK_BYTES)
            start = max(file.seek(0, 2) - LOOK_BYTES, LOOK_BYTES)
            file.seek(start)
            tail = file.read(LOOK_BYTES)
    except OSError:
        return False
    is_object = head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    return is_object and len({*LISTS.findall(head), *LISTS.findall(tail)}) >= 2


def read_coco(path: Path) -> CocoFile:
    """Read a file.

    Raises:
        LayoutError: It is no COCO file, or some entries belong to no picture or label; lists them.
    """
    coco = CocoFile(path)
    takers = {
        "images": coco.add_image,
        "annotations": coco.add_annotation,
        "categories": coco.add_category,
    }
    rest = read_lists(path, takers)
    if coco.damaged:
        shown = "\n".join(f"  {each}" for each in coco.damaged[:SHOWN])
        raise LayoutError(
            f"{path.name} has {len(coco.damaged)} entries that are none of COCO:\n{shown}\n"
            "Export it again as COCO for instance segmentation."
        )
    coco.labels = dict(sorted(coco.labels.items(), key=lambda each: _order(each[0])))
    coco.batch = _to_batch(rest)
    return coco


def _is_id(content: Any) -> bool:
    return isinstance(content, Id) and not isinstance(content, bool)


def _to_batch(rest: dict[str, Any]) -> Batch:
    """Who, when and with what, as `info` notes it; `date_captured` is when the camera saw it."""
    noted = rest.get("info")
    info = noted if isinstance(noted, dict) else {}
    texts = [*info.values(), *_license_texts(rest.get("licenses"))]
    is_cvat = any("cvat" in text.lower() for text in texts if isinstance(text, str))
    return Batch(
        labelled_by=_note(info.get("contributor")),
        labelled_at=_note(info.get("date_created")),
        label_tool="cvat" if is_cvat else "",
    )


def _license_texts(licenses: Any) -> list[Any]:
    entries = licenses if isinstance(licenses, list) else []
    return [text for entry in entries if isinstance(entry, dict) for text in entry.values()]


def _note(content: Any) -> str:
    """A short line of text; "" of anything else."""
    if not isinstance(content, str):
        return ""
    return "".join(filter(str.isprintable, content[:NOTE_LENGTH])).strip()


def _order(identifier: Id) -> tuple[bool, int, str]:
    """Numbers before texts."""
    if isinstance(identifier, str):
        return True, 0, identifier
    return False, identifier, ""


def show_id(identifier: Id) -> str:
    """An id as messages show it."""
    return str(identifier)[:40] if isinstance(identifier, int) else repr(identifier[:40])
