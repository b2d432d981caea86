"""Contenders in, how fast each is, how much memory it holds and how good it is out."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from defectseg.confusion import any_defect
from defectseg.errors import ModelFileError
from defectseg.inference.bench.child import Child
from defectseg.inference.bench.contender import Contender

TURN = 5  # pictures that a contender runs before it is the next one's turn
WARM_UP = 3  # pictures of each contender that are not counted
CHUNK = 10  # tiles that are scored between two steps of the progress bar

Progress = Callable[[str], None]  # is told what was just measured, once a step
Kind = tuple[str, str]  # engine and precision
Size = tuple[int, int]  # width and height, px


@dataclass(frozen=True)
class Speed:
    """How fast one contender runs pictures of one size, one after the other."""

    contender: Contender
    size: Size
    milliseconds: npt.NDArray[np.float64]  # of each counted picture
    peak_mib: float  # of its process

    @property
    def p50(self) -> float:
        """Milliseconds of a picture: half are faster."""
        return float(np.percentile(self.milliseconds, 50))

    @property
    def p95(self) -> float:
        """Milliseconds of a picture: one of twenty is slower."""
        return float(np.percentile(self.milliseconds, 95))

    @property
    def pictures_per_second(self) -> float:
        """With a single caller."""
        return float(1e3 / self.milliseconds.mean())


def measure_speed(
    contenders: Sequence[Contender], size: Size, pictures: int, progress: Progress
) -> list[Speed]:
    """Let the contenders run in turn, so that a busy moment of the machine hits all of them.

    Each has a process of its own that lives for this size alone.

    Raises:
        ModelFileError: One cannot run.
    """
    turns = -(-pictures // TURN)
    taken: dict[Contender, list[float]] = {contender: [] for contender in contenders}
    shape = {"width": size[0], "height": size[1]}
    with ExitStack() as stack:
        children = {each: stack.enter_context(Child(each)) for each in contenders}
        for child in children.values():
            child.ask("time", **shape, count=WARM_UP)
        for turn in range(turns):
            count = min(TURN, pictures - turn * TURN)
            for contender, child in children.items():
                taken[contender] += child.ask("time", **shape, count=count)
                progress(contender.label)
        return [
            Speed(contender, size, np.array(taken[contender]), child.ask("peak"))
            for contender, child in children.items()
        ]


def count_turns(contenders: int, sizes: int, pictures: int) -> int:
    """How often `measure_speed` tells its progress over all sizes."""
    return contenders * sizes * -(-pictures // TURN)


@dataclass(frozen=True)
class Part:
    """The tiles that a model is scored on."""

    folder: Path
    ids: Sequence[str]


@dataclass
class Examination:
    """What can be said of engines and files before any is timed."""

    runnable: list[Contender] = field(default_factory=list)
    dice: dict[Kind, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def examine(contenders: Sequence[Contender], test: Part | None, progress: Progress) -> Examination:
    """Open each engine and file once, and score it if there are tiles; notes what fails."""
    found = Examination()
    kinds = {each.kind: each for each in contenders}  # the one with the most threads
    for kind, contender in kinds.items():
        with Child(contender) as child:
            try:
                child.name()
                found.runnable += [each for each in contenders if each.kind == kind]
                if test:
                    found.dice[kind] = score(child, contender, test, progress)
            except ModelFileError as error:
                found.notes.append(str(error))
    return found


def score(child: Child, contender: Contender, test: Part, progress: Progress) -> float:
    """The Dice of the final masks of some tiles, all pixels pooled, any defect.

    Raises:
        ModelFileError: A tile cannot be read, or the model knows other classes.
    """
    confusions = []
    for start in range(0, len(test.ids), CHUNK):
        chunk = list(test.ids[start : start + CHUNK])
        confusions.append(child.ask("score", folder=str(test.folder), ids=chunk))
        progress(contender.label)
    return float(any_defect(np.sum(confusions, axis=0)).dice)


def count_chunks(contenders: Sequence[Contender], test: Part | None) -> int:
    """How often `examine` tells its progress."""
    kinds = {each.kind for each in contenders}
    return len(kinds) * -(-len(test.ids) // CHUNK) if test else 0
