"""A folder that is written anew as a whole: it changes at once when all is written, or not at all.

data/.tiles.x1y2/        what this run unpacks and writes; gone at its end, whatever happens
data/.tiles.x1y2/earlier the earlier folder, for the moment between two renames
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from pathlib import Path

from defectseg.errors import DataError

EARLIER = "earlier"


@contextmanager
def stage_beside(target: Path) -> Iterator[Path]:
    """A new folder on the target's own disk, removed at the end; killed runs are cleared up."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for stale in target.parent.glob(f".{target.name}.*"):
        if (stale / EARLIER).exists() and not target.exists():
            (stale / EARLIER).rename(target)  # that run was killed between the two renames
        shutil.rmtree(stale)
    stage = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield stage
    finally:
        shutil.rmtree(stage)


@contextmanager
def swap_in(new: Path, target: Path, stage: Path) -> Iterator[None]:
    """Put a new folder in the place of the target; take it back if the block that follows fails."""
    earlier = stage / EARLIER
    try:
        if target.exists():
            target.rename(earlier)
        new.rename(target)
        yield
    except BaseException:
        if not new.exists():
            target.rename(new)
        if earlier.exists():
            earlier.rename(target)
        raise


@contextmanager
def explain_full_disk(folder: Path, needed_bytes: int) -> Iterator[None]:
    """Turn "no space left" into a DataError that says how much is free and how much is needed."""
    try:
        yield
    except OSError as error:
        if error.errno not in {ENOSPC, EDQUOT}:
            raise
        free = shutil.disk_usage(folder).free
        raise DataError(
            f"the disk of {folder} is full: {free / 1e6:.1f} MB free, at least "
            f"{needed_bytes / 1e6:.1f} MB needed in all; make room and run again (earlier tiles "
            "are as they were)"
        ) from error
