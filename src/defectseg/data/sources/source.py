"""What params.yaml names as source in, a folder on this machine and what it is out."""

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from defectseg.data.sources.archives import Limits, unpack
from defectseg.data.sources.download import download
from defectseg.data.staging import explain_full_disk
from defectseg.data.synthetic.photographs import SyntheticParams, write_synthetic
from defectseg.errors import SourceError
from defectseg.params import Section

SYNTHETIC = "synthetic"
MB = 1_000_000
SourceKind = Literal["synthetic", "folder", "zip", "tar", "url"]


class SourceParams(Section):
    """params.yaml: data_load, where the pictures come from and how much may come."""

    source: str = Field(min_length=1)  # synthetic, a folder, an archive or its address
    digest: str | None = Field(pattern="^[0-9a-f]{64}$")  # see `content_digest`; null: any content
    max_download_mb: int = Field(gt=0)  # MB = 1 000 000 bytes
    max_unpacked_mb: int = Field(gt=0)
    max_files: int = Field(gt=0)  # entries of an archive
    max_ratio: float = Field(ge=1)  # unpacked bytes / bytes of the archive
    synthetic: SyntheticParams


@dataclass(frozen=True)
class Source:
    """An opened source."""

    kind: SourceKind
    folder: Path


def open_source(params: SourceParams, work: Path) -> Source:
    """Bring the pictures of a source into a folder.

    Args:
        params: Names the source and its limits.
        work: A folder that does not exist yet, for what is drawn, downloaded or unpacked; a
            source that is a folder is used where it lies.

    Raises:
        SourceError: The source is missing, unsafe, damaged or too large.
        DataError: The disk is full.
    """
    work.mkdir(parents=True)
    if params.source == SYNTHETIC:
        with explain_full_disk(work, 0):
            write_synthetic(work, params.synthetic)
        return Source("synthetic", work)
    if "://" in params.source:
        archive = work / "download" / _file_name(params.source)
        archive.parent.mkdir()
        with explain_full_disk(work, 0):
            download(params.source, archive, params.max_download_mb * MB)
        _unpack(archive, work / "unpacked", params)
        archive.unlink()
        return Source("url", work / "unpacked")
    path = Path(params.source).expanduser()
    if path.is_dir():
        return Source("folder", path)
    if not path.is_file():
        raise SourceError(
            f"the source {params.source} does not exist; expected {SYNTHETIC!r}, a folder, "
            "a .zip or .tar.gz, or an http(s):// or s3:// address of one"
        )
    return Source(_unpack(path, work / "unpacked", params), work / "unpacked")


def content_digest(root: Path, files: Iterable[Path]) -> str:
    """The digest of a data set: the same for the same pictures and masks, however they came.

    It is the sha256 of one line a file, `<sha256 of the file>  <path>\\n`, sorted by the path's
    bytes; paths are relative to the layout's root and use `/`. Files that the layout does not use
    do not count. In a shell, in that root and for those files:
    `LC_ALL=C sort -z <paths> | xargs -0 sha256sum | sha256sum`.
    """
    lines = sorted((os.fsencode(path.relative_to(root).as_posix()), path) for path in files)
    whole = hashlib.sha256()
    for name, path in lines:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(digest.encode() + b"  " + name + b"\n")
    return whole.hexdigest()


def check_digest(found: str, expected: str | None) -> None:
    """Refuse content that is not what params.yaml expects.

    Raises:
        SourceError: The digests differ.
    """
    if expected is not None and found != expected:
        raise SourceError(
            f"the source has the content digest {found}, but data_load.digest expects {expected}; "
            "nothing was loaded"
        )


def _unpack(archive: Path, folder: Path, params: SourceParams) -> SourceKind:
    limits = Limits(params.max_files, params.max_unpacked_mb * MB, params.max_ratio)
    try:
        with explain_full_disk(folder.parent, archive.stat().st_size):
            return unpack(archive, folder, limits)
    except OSError as error:
        raise SourceError(f"{archive.name} cannot be unpacked: {error}") from error


def _file_name(url: str) -> str:
    """A safe name for the downloaded file, such as messages show it."""
    name = re.sub(r"[^\w.-]", "_", urlsplit(url).path.rpartition("/")[2])
    return name[-100:].strip(".") or "download"
