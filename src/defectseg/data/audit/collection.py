"""A folder or an archive of pictures in any arrangement in, the surface that each shows out.

Nothing has to be known about the layout or the labels: every picture below the folder counts,
masks do not. H rows, W columns.
"""

import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from pydantic import ConfigDict
from tqdm import tqdm

from defectseg.data.picture import (
    SUFFIXES,
    WHITE_16_BIT,
    decode_picture,
    largest_value,
    read_size,
)
from defectseg.data.sources.archives import Limits, unpack
from defectseg.data.staging import explain_full_disk
from defectseg.data.surfaces.find import SurfaceFinder, SurfaceParams
from defectseg.errors import DataError, OffendersError, SourceError
from defectseg.params import Section

MASK_FOLDERS = frozenset(
    {
        "annotations",
        "ground_truth",
        "labels",
        "mask",
        "masks",
        "segmentationclass",
        "segmentationobject",
    }
)
MASK_ENDING = "_mask"  # of the stem
MASK_SUFFIX = ".png"  # beside a picture of the same stem and another ending, it is its mask


class AlikeParams(Section):
    """params.yaml: data_load, of which only the surfaces are needed here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    surfaces: SurfaceParams


@contextmanager
def open_collection(source: Path, limits: Limits) -> Iterator[Path]:
    """The folder of a source: itself, or an archive unpacked into a folder that goes at the end.

    Raises:
        SourceError: The source is missing, or an unsafe, damaged or too large archive.
    """
    if source.is_dir():
        yield source
        return
    if not source.is_file():
        raise SourceError(f"{source} does not exist; expected a folder, a .zip or a .tar.gz")
    with tempfile.TemporaryDirectory(prefix="defectseg-") as work:
        folder = Path(work) / "unpacked"
        try:
            with explain_full_disk(Path(work), source.stat().st_size):
                unpack(source, folder, limits)
        except OSError as error:
            raise SourceError(f"{source.name} cannot be unpacked: {error}") from error
        yield folder


def list_pictures(folder: Path) -> list[str]:
    """The paths of all pictures below a folder, relative, with `/`, sorted; no masks, no links out.

    Raises:
        SourceError: There is none.
    """
    stems: dict[str, set[str]] = defaultdict(set)  # path without its ending → endings
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _is_left_out(name)]
        for name in names:
            path = PurePosixPath(Path(parent).relative_to(folder).as_posix(), name)
            if path.suffix.lower() in SUFFIXES and not name.startswith("."):
                stems[str(path.with_suffix(""))].add(path.suffix)
    pictures = sorted(
        stem + ending
        for stem, endings in stems.items()
        if not stem.lower().endswith(MASK_ENDING)
        for ending in _without_mask(endings)
    )
    if not pictures:
        raise SourceError(
            f"{folder} holds no picture; expected {', '.join(sorted(SUFFIXES))} in it or below, "
            f"outside folders of masks ({', '.join(sorted(MASK_FOLDERS))})"
        )
    return pictures


def _is_left_out(folder: str) -> bool:
    return folder.startswith(".") or folder.lower() in MASK_FOLDERS


def _without_mask(endings: set[str]) -> set[str]:
    others = {ending for ending in endings if ending.lower() != MASK_SUFFIX}
    return others or endings


def find_surfaces(folder: Path, pictures: list[str], params: SurfaceParams) -> Mapping[str, str]:
    """Find the surface of each picture from its pixels: path → surface.

    Two passes over the files, one picture in memory at a time.

    Raises:
        OffendersError: Some files are no pictures; all are listed.
    """
    sizes = [size for name in pictures if (size := read_size(folder / name))]
    finder = SurfaceFinder(params, sizes)
    faults = []
    for name in tqdm(pictures, desc="pictures", unit="picture"):
        try:
            content = (folder / name).read_bytes()
            # 16-bit pictures by their own largest value: a texture does not depend on the exposure
            white = largest_value(content) or WHITE_16_BIT
            finder.add(name, decode_picture(content, 1, white))
        except (DataError, OSError) as error:
            faults.append(f"{name}: {error}")
    if faults:
        raise OffendersError("unreadable pictures", faults, "Replace or remove these files.")
    return finder.find().names
