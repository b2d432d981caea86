"""What every reader of a layout gives: its pictures, each with what the source says about it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from defectseg.data.faults import Fault
from defectseg.data.labels.label import Label

LayoutName = Literal["class_folders", "images_masks", "mvtec_ad", "voc", "coco", "label_studio"]


@dataclass(frozen=True)
class Batch:
    """Who labelled a picture, when and with what; "" where the source does not say."""

    labelled_by: str = ""
    labelled_at: str = ""
    label_tool: str = ""


@dataclass(frozen=True)
class Record:
    """One picture with its label, not opened yet."""

    id: str  # unique in its layout, see `pairing.to_id`
    picture: Path
    label: Label
    defect_class: str | None  # CLEAN or what the folder says; None where only the label tells
    batch: Batch = Batch()


@dataclass(frozen=True)
class Layout:
    """What was recognised below a folder."""

    name: LayoutName
    root: Path  # the folder that holds the class folders, images/ and masks/, the JSON, …
    records: tuple[Record, ...]  # sorted by id, those with a pairing fault left out
    labels: tuple[str, ...] | None  # in the source's order, no CLEAN; None: masks of bare values
    files: tuple[Path, ...]  # pictures, masks and label files of the layout, paired or not, sorted
    ignored: tuple[str, ...]  # pictures below the root that are none of `files`, relative
    faults: tuple[Fault, ...]  # of pairing and labels

    def relative(self, path: Path) -> str:
        """A path as messages and digests show it."""
        return path.relative_to(self.root).as_posix()
