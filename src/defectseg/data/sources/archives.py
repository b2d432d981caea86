"""A hostile zip or tar in, its pictures and text files in a folder out: nothing else is unpacked.

Whatever an archive says about itself is checked while it is read: names that leave the folder,
links and devices, more files or bytes than allowed, encryption and damage all end in `SourceError`.
"""

import gzip
import io
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EINVAL
from pathlib import Path, PurePosixPath
from typing import IO, Literal, cast

from defectseg.data.picture import SUFFIXES
from defectseg.errors import SourceError

UNPACKED = SUFFIXES | {".json", ".csv", ".txt", ".xml"}
CHUNK = 1 << 20  # bytes read at once
MAX_TAR_HEADER = 1 << 22  # bytes; a longer one only serves to fill the memory
RATIO_FREE = 16 << 20  # bytes that any archive may unpack to, whatever its ratio
MAX_NAME = 255  # bytes of one part of a path on the usual file systems
TAR_BLOCK = 512
DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a zip compression that Python does not know
    RecursionError,  # extension headers of a tar in extension headers
    ValueError,  # numbers and names that cannot be
    struct.error,
)

ArchiveKind = Literal["zip", "tar"]


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to."""

    files: int  # entries, folders and skipped files included
    unpacked_bytes: int
    ratio: float  # unpacked bytes / bytes of the archive, beyond the first RATIO_FREE


def archive_kind(path: Path) -> ArchiveKind | None:
    """Tell a zip from a tar by content, never by name; None for anything else."""
    with path.open("rb") as file:
        head = file.read(TAR_BLOCK)
    if head[:2] == b"PK":
        return "zip"
    if head[:2] == b"\x1f\x8b" or head[257:262] == b"ustar":
        return "tar"
    return None


def unpack(archive: Path, folder: Path, limits: Limits) -> ArchiveKind:
    """Unpack the pictures and text files of a zip, tar or tar.gz into a new folder.

    Raises:
        SourceError: The archive is unsafe, too large, encrypted, damaged or of another kind.
        OSError: The folder cannot be written, for instance because the disk is full.
    """
    kind = archive_kind(archive)
    if kind is None:
        raise SourceError(f"{archive.name} is no archive of the kinds .zip, .tar.gz and .tar")
    folder.mkdir(parents=True)
    budget = _Budget(archive.name, limits, archive.stat().st_size)
    with _damage_explained(archive.name):
        if kind == "zip":
            _unpack_zip(archive, folder, budget)
        else:
            _unpack_tar(archive, folder, budget)
    return kind


class _Budget:
    """Counts entries and real bytes against the limits of one archive."""

    def __init__(self, name: str, limits: Limits, archive_bytes: int) -> None:
        self.name = name
        self.limits = limits
        self.ratio_bytes = max(RATIO_FREE, int(limits.ratio * archive_bytes))
        self.files = 0
        self.unpacked_bytes = 0

    def add_file(self) -> None:
        self.files += 1
        if self.files > self.limits.files:
            raise SourceError(
                f"{self.name} has more than {self.limits.files} entries; "
                "raise data_load.max_files if that is right"
            )

    def add_bytes(self, number: int) -> None:
        self.unpacked_bytes += number
        if self.unpacked_bytes > self.limits.unpacked_bytes:
            raise SourceError(
                f"{self.name} unpacks to more than {self.limits.unpacked_bytes / 1e6:g} MB; "
                "raise data_load.max_unpacked_mb if that is right"
            )
        if self.unpacked_bytes > self.ratio_bytes:
            raise SourceError(
                f"{self.name} unpacks to more than {self.limits.ratio:g} times its size, as bombs "
                "do; raise data_load.max_ratio if that is right"
            )


class _Metered(io.RawIOBase):
    """A decompressing stream that counts every byte, skipped ones too, and reads no huge header."""

    def __init__(self, stream: IO[bytes], budget: _Budget) -> None:
        self._stream = stream
        self._budget = budget
        self.last = b""  # what the last read returned

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_TAR_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        self.last = self._stream.read(size)
        self._budget.add_bytes(len(self.last))
        return self.last

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        while self._stream.tell() < offset and self.read(min(CHUNK, offset - self._stream.tell())):
            pass  # in steps, so that a skipped bomb is noticed before it is decompressed
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True


def _unpack_zip(archive: Path, folder: Path, budget: _Budget) -> None:
    with zipfile.ZipFile(archive) as source:
        for entry in source.infolist():
            budget.add_file()
            target = _target(folder, entry.filename, budget.name)
            kind = stat.S_IFMT(entry.external_attr >> 16)  # 0 where the maker was no Unix
            if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise _unsafe(budget.name, entry.filename, "is a link or a device")
            if entry.flag_bits & 1:
                raise SourceError(f"{budget.name}: {entry.filename} is encrypted; unpack it first")
            if not entry.is_dir() and _is_wanted(target):
                with source.open(entry) as content:
                    _copy(_Metered(content, budget), target, budget.name)


def _unpack_tar(archive: Path, folder: Path, budget: _Budget) -> None:
    with _open_tar_stream(archive) as content:
        stream = _Metered(content, budget)
        source = tarfile.TarFile(fileobj=stream)
        for entry in source:
            budget.add_file()
            target = _target(folder, entry.name, budget.name)
            if not (entry.isfile() or entry.isdir()) or entry.issparse():
                raise _unsafe(budget.name, entry.name, "is a link, a device or a sparse file")
            file = source.extractfile(entry) if entry.isfile() and _is_wanted(target) else None
            if file is not None:
                _copy(file, target, budget.name)
        # tarfile takes a header that it cannot read for the end of the archive
        if stream.last != bytes(TAR_BLOCK):
            raise tarfile.ReadError("the end of the archive is missing or a header is wrong")
        while stream.read(CHUNK):
            pass  # gzip compares its checksum at the very end


def _open_tar_stream(archive: Path) -> IO[bytes]:
    file = archive.open("rb")
    if file.read(2) != b"\x1f\x8b":
        file.seek(0)
        return file
    file.close()
    return cast(IO[bytes], gzip.open(archive, "rb"))


def _target(folder: Path, name: str, archive: str) -> Path:
    """Where an entry goes below the folder, or a SourceError for a name that could leave it."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise _unsafe(archive, name, "has an absolute path")
    if ".." in parts or "\\" in name or "\0" in name:
        raise _unsafe(archive, name, "has a path with .. or a backslash")
    if any(len(part.encode("utf-8", "surrogateescape")) > MAX_NAME for part in parts):
        raise _unsafe(archive, f"{name[:60]}…", f"has a name of more than {MAX_NAME} bytes")
    return folder.joinpath(*parts)


def _is_wanted(target: Path) -> bool:
    return target.suffix.lower() in UNPACKED and not target.name.startswith(".")


def _copy(content: io.RawIOBase | IO[bytes], target: Path, archive: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        file = target.open("xb")
    except (FileExistsError, NotADirectoryError) as error:
        raise SourceError(f"{archive} holds {target.name} twice in one folder") from error
    with file:
        while chunk := content.read(CHUNK):
            file.write(chunk)


def _unsafe(archive: str, entry: str, what: str) -> SourceError:
    return SourceError(f"{archive}: {entry!r} {what}; nothing of this archive was loaded")


@contextmanager
def _damage_explained(archive: str) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise SourceError(f"{archive} is damaged or incomplete: {error}") from error
    except OSError as error:
        if error.errno != EINVAL:  # zipfile seeks where a damaged directory sends it
            raise
        raise SourceError(f"{archive} is damaged: its directory points nowhere") from error
