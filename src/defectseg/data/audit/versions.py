"""A version of the tiles in git and DVC, or the workspace, in: its manifest and its files out.

A manifest of an older version may lack the newer columns; it is read all the same. What a version
says is checked before it is used: it may come from a fork.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError

from defectseg.data.tile import CLASSES, MANIFEST, Tile
from defectseg.errors import DataError, OffendersError

WORKSPACE = "workspace"  # what the person who asks calls the files as they lie there


class Files(Protocol):
    """The files of one version of a folder of tiles, by their paths below it."""

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            DataError: It cannot be read; says what to do.
        """

    def md5(self, path: str) -> str:
        """The MD5 of a file, as DVC knows it or from its content."""


@dataclass(frozen=True)
class FolderFiles:
    """The files of a folder on this machine."""

    folder: Path

    def read(self, path: str) -> bytes:
        """See `Files.read`."""
        try:
            return (self.folder / path).read_bytes()
        except OSError as error:
            raise DataError(
                f"{self.folder / path} cannot be read: {error.strerror}; get the tiles by "
                "`dvc checkout` or `dvc repro data_load`"
            ) from error

    def md5(self, path: str) -> str:
        """See `Files.md5`."""
        return hashlib.md5(self.read(path), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class DvcFiles:
    """The files of a folder that DVC tracks, at one revision of the repository around us."""

    folder: Path  # relative to the root of the repository
    revision: str
    system: Any  # dvc.api.DVCFileSystem, which has no types

    def read(self, path: str) -> bytes:
        """See `Files.read`."""
        with explain_dvc(self.folder / path, self.revision):
            return bytes(self.system.read_bytes((self.folder / path).as_posix()))

    def md5(self, path: str) -> str:
        """See `Files.md5`."""
        with explain_dvc(self.folder / path, self.revision):
            known = self.system.info((self.folder / path).as_posix()).get("md5")
        return known or hashlib.md5(self.read(path), usedforsecurity=False).hexdigest()


@contextmanager
def explain_dvc(path: Path, revision: str) -> Iterator[None]:
    """Turn what DVC raises into a DataError that says what to do."""
    # DVC takes half a second to import: only those who ask for a version of theirs wait for it
    from dvc.exceptions import DvcException  # type: ignore[import-untyped]
    from dvc.scm import SCMError  # type: ignore[import-untyped]
    from dvc_data.index import DataIndexError

    try:
        yield
    except SCMError as error:
        raise DataError(
            f"{path} at {revision} cannot be read: {error}; give a commit, a branch, a tag or an "
            f"experiment of a git repository, or {WORKSPACE}"
        ) from error
    except (DvcException, DataIndexError, OSError) as error:
        raise DataError(
            f"{path} at {revision} cannot be read: {error}; if the revision has it, `dvc fetch -a` "
            "(or `dvc pull` at that revision) brings its files from the remote"
        ) from error


@dataclass(frozen=True)
class TileVersion:
    """The tiles as one version has them."""

    name: str  # as a person calls it
    classes: tuple[str, ...]  # mask value k is classes[k - 1]
    tiles: dict[str, Tile]  # id → tile, sorted by id
    files: Files


def open_version(revision: str, folder: Path) -> TileVersion:
    """Read the tiles of a revision (a commit, a branch, a tag, an experiment) or of the workspace.

    Raises:
        DataError: There is no such revision, its files are not on this machine, or its manifest
            is damaged.
    """
    if revision == WORKSPACE:
        return read_version(revision, FolderFiles(folder))
    with explain_dvc(folder, revision):
        from dvc.api import DVCFileSystem  # type: ignore[import-untyped]

        return read_version(revision, DvcFiles(folder, revision, DVCFileSystem(rev=revision)))


def read_version(name: str, files: Files) -> TileVersion:
    """Read and check the manifest and the classes of a version.

    Raises:
        DataError: A file is missing or damaged.
        OffendersError: Some rows of the manifest are wrong; all are listed.
    """
    try:
        classes = TypeAdapter(tuple[Printable, ...]).validate_python(
            json.loads(files.read(CLASSES).decode("utf-8"))
        )
        rows = list(csv.DictReader(io.StringIO(files.read(MANIFEST).decode("utf-8"), newline="")))
    except (ValueError, RecursionError, csv.Error) as error:
        raise DataError(f"the manifest of {name} is damaged: {error}") from error
    return TileVersion(name, classes, _check_rows(name, rows), files)


def _check_printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has characters that cannot be printed")
    return text


def _check_path(path: str) -> str:
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError("leaves the folder of the tiles")
    return path


Printable = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_check_printable)]
Note = Annotated[str, Field(max_length=300), AfterValidator(_check_printable)]
Pixels = Annotated[int, Field(ge=0, le=10**9)]


class ManifestRow(BaseModel):
    """One row of manifest.csv as it comes; see `Tile`."""

    id: Printable
    image: Annotated[Printable, AfterValidator(_check_path)]
    mask: Annotated[Printable, AfterValidator(_check_path)]
    defect_class: Printable
    surface: Printable
    width: Pixels
    height: Pixels
    defect_px: Pixels
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    labelled_by: Note = ""
    labelled_at: Note = ""
    label_tool: Note = ""


def _check_rows(name: str, rows: Sequence[dict[Any, Any]]) -> dict[str, Tile]:
    tiles: dict[str, Tile] = {}
    faults = []
    for number, row in enumerate(rows, start=2):
        if None in row:
            faults.append(f"row {number}: more cells than the header has")
            continue
        try:
            tile = Tile(**ManifestRow.model_validate(row).model_dump())
        except ValidationError as error:
            first = error.errors()[0]
            column = ".".join(map(str, first["loc"]))
            faults.append(f"row {number}, {column}: {first['msg']}")
            continue
        if tile.id in tiles:
            faults.append(f"row {number}: {tile.id} comes twice")
        tiles[tile.id] = tile
    if faults:
        advice = "data_load writes this file; run it again."
        raise OffendersError(f"wrong rows in the manifest of {name}", faults, advice)
    return dict(sorted(tiles.items()))
