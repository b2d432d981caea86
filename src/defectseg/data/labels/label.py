"""What a source says about one picture in, a mask of class indexes out.

A source names its labels as it likes; `to_label` makes them comparable. What each label becomes is
the class map's business (`class_map`): here it comes in as `index`, label → 0..K.
Shapes: H rows, W columns, K defect classes; index 0 is the background.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from defectseg.data.tile import CLEAN
from defectseg.errors import LayoutError

NO_DEFECT = frozenset({"free", "good", "ok", "clean", "normal", "no_defect", "background"})


@dataclass(frozen=True)
class MaskFile:
    """A mask of grey values; what they mean is known when all masks have been seen (`masks`)."""

    path: Path
    void: int | None = None  # a value that says nothing and is read as background


class Drawing(Protocol):
    """A label that says by name what it shows: shapes of a labelling tool, or colours."""

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height that the tool noted, px; None where it noted none.

        A drawing is asked to draw only at this size: nothing is allocated by what a file claims.
        """

    @property
    def names(self) -> frozenset[str]:
        """The labels that it uses, without CLEAN; empty: somebody says there is no defect."""

    def draw(self, size: tuple[int, int], index: Mapping[str, int]) -> npt.NDArray[np.uint8]:
        """Draw the mask (H, W) in 0..K; later shapes lie above earlier ones, index 0 is not drawn.

        Args:
            size: Width and height of the picture, upright, px.
            index: 0..K for every label of `names`; 0 where the label is to be ignored.

        Raises:
            DataError: The drawing is damaged or has another size.
        """


Label = MaskFile | Drawing


@dataclass(frozen=True)
class NoDefect:
    """The drawing of a picture that somebody calls clean."""

    size: None = None
    names: frozenset[str] = frozenset()

    def draw(self, size: tuple[int, int], index: Mapping[str, int]) -> npt.NDArray[np.uint8]:
        """See `Drawing.draw`."""
        return np.zeros((size[1], size[0]), dtype=np.uint8)


def to_label(name: str) -> str:
    """The label that a name says: `MT_Blowhole` is blowhole, `Dark spot` dark_spot, `good` CLEAN.

    Raises:
        LayoutError: The name has no letter a-z and no digit.
    """
    label = re.sub(r"[^a-z0-9]+", "_", name.lower().removeprefix("mt_")).strip("_")
    if not label:
        raise LayoutError(f"{name!r} gives no class name; use letters a-z and digits")
    return CLEAN if label in NO_DEFECT else label
