"""What a reader found in a folder, as tests compare it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from defectseg.data.faults import FaultKind
from defectseg.data.labels.label import MaskFile
from defectseg.data.layouts.layout import Layout


def pairs(layout: Layout) -> dict[str, tuple[str, str]]:
    """Picture and mask file of each id, relative to the root; "" is a label without a file."""
    return {
        record.id: (
            layout.relative(record.picture),
            layout.relative(record.label.path) if isinstance(record.label, MaskFile) else "",
        )
        for record in layout.records
    }


def faults(layout: Layout) -> list[tuple[FaultKind, str]]:
    return [(fault.kind, fault.offender) for fault in layout.faults]


def draw(layout: Layout, picture_id: str, index: Mapping[str, int]) -> list[list[int]]:
    """The mask of a label that is a drawing."""
    label = next(record.label for record in layout.records if record.id == picture_id)
    if isinstance(label, MaskFile) or label.size is None:
        raise TypeError(f"{label} does not say its size")
    return np.asarray(label.draw(label.size, index)).tolist()


def touch(folder: Path, *names: str) -> Path:
    """Files of these names; some layouts are recognised by names alone."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder
