"""archives: what is unpacked, and everything that is refused."""

import gzip
import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from defectseg.data.sources.archives import RATIO_FREE, Limits, unpack
from defectseg.errors import SourceError

LIMITS = Limits(files=100, unpacked_bytes=50_000_000, ratio=100)
NOISE = np.random.default_rng(0).bytes(5000)
FILES = {"top/a.jpg": NOISE, "top/deep/b.PNG": b"b" * 700, "top/classes.json": b"[]"}

Pack = Callable[[Path, Mapping[str, bytes]], Path]


def pack_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return path


def pack_tar(path: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def pack_tar_gz(path: Path, files: Mapping[str, bytes]) -> Path:
    path.write_bytes(gzip.compress(pack_tar(path, files).read_bytes()))
    return path


def read_folder(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


every_kind = pytest.mark.parametrize("pack", [pack_zip, pack_tar, pack_tar_gz])


@every_kind
def test_pictures_and_text_files_are_unpacked_and_nothing_else(pack: Pack, tmp_path: Path):
    others = {"top/run.sh": b"#!", "top/.hidden.png": b"x", "top/model.pkl": b"x"}
    archive = pack(tmp_path / "archive", FILES | others)
    unpack(archive, tmp_path / "out", LIMITS)
    assert read_folder(tmp_path / "out") == FILES


def test_the_content_says_what_an_archive_is_and_not_its_name(tmp_path: Path):
    assert unpack(pack_zip(tmp_path / "a.tar.gz", FILES), tmp_path / "1", LIMITS) == "zip"
    assert unpack(pack_tar_gz(tmp_path / "a.zip", FILES), tmp_path / "2", LIMITS) == "tar"


def test_another_kind_of_file_is_refused_with_the_kinds_that_are_known(tmp_path: Path):
    archive = tmp_path / "tiles.rar"
    archive.write_bytes(b"Rar!\x1a\x07" + NOISE)
    with pytest.raises(SourceError, match=r"tiles\.rar is no archive of the kinds \.zip"):
        unpack(archive, tmp_path / "out", LIMITS)


@every_kind
@pytest.mark.parametrize(
    "name", ["../up.png", "a/../../up.png", "/tmp/up.png", "C:/up.png", "a\\..\\up.png"]
)
def test_a_name_that_leaves_the_folder_is_refused(pack: Pack, name: str, tmp_path: Path):
    archive = pack(tmp_path / "archive", {"a.png": b"fine", name: b"evil"})
    with pytest.raises(SourceError, match=r"up\.png' has (an absolute path|a path with \.\.)"):
        unpack(archive, tmp_path / "in" / "out", LIMITS)
    assert not list(tmp_path.rglob("*up.png"))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_a_link_or_device_in_a_tar_is_refused(kind: bytes, tmp_path: Path):
    entry = tarfile.TarInfo("a.png")
    entry.type, entry.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(entry)
    with pytest.raises(SourceError, match=r"'a\.png' is a link, a device"):
        unpack(tmp_path / "a.tar", tmp_path / "out", LIMITS)
    assert not list((tmp_path / "out").iterdir())


def test_a_link_in_a_zip_is_refused(tmp_path: Path):
    entry = zipfile.ZipInfo("a.png")
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(SourceError, match=r"'a\.png' is a link"):
        unpack(tmp_path / "a.zip", tmp_path / "out", LIMITS)


@every_kind
def test_more_entries_than_allowed_are_refused(pack: Pack, tmp_path: Path):
    archive = pack(tmp_path / "archive", {f"{number}.png": b"x" for number in range(6)})
    unpack(archive, tmp_path / "six", Limits(6, 10_000_000, 100))
    with pytest.raises(SourceError, match=r"more than 5 entries; raise data_load\.max_files"):
        unpack(archive, tmp_path / "five", Limits(5, 10_000_000, 100))


@every_kind
def test_more_bytes_than_allowed_are_refused(pack: Pack, tmp_path: Path):
    archive = pack(tmp_path / "archive", {f"{number}.png": NOISE for number in range(4)})
    with pytest.raises(SourceError, match=r"more than 0\.015 MB; raise data_load\.max_unpacked_mb"):
        unpack(archive, tmp_path / "out", Limits(100, 15_000, 100))


@every_kind
def test_a_bomb_is_refused_before_it_is_unpacked(pack: Pack, tmp_path: Path):
    archive = pack(tmp_path / "archive", {"bomb.bmp": bytes(RATIO_FREE + 3_000_000)})
    if pack is pack_tar:  # without compression there is no bomb
        unpack(archive, tmp_path / "out", Limits(100, 50_000_000, 2))
        return
    with pytest.raises(SourceError, match=r"more than 100 times its size, as bombs do"):
        unpack(archive, tmp_path / "out", LIMITS)
    assert (tmp_path / "out" / "bomb.bmp").stat().st_size <= RATIO_FREE


def test_a_bomb_among_the_skipped_files_of_a_tar_is_refused(tmp_path: Path):
    files = {"skipped.bin": bytes(RATIO_FREE + 3_000_000), "a.png": b"fine"}
    with pytest.raises(SourceError, match="100 times its size"):
        unpack(pack_tar_gz(tmp_path / "archive", files), tmp_path / "out", LIMITS)


def test_a_huge_header_of_a_tar_is_refused(tmp_path: Path):
    entry = tarfile.TarInfo("a.png")
    entry.pax_headers = {"comment": "x" * 5_000_000}
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(entry)
    with pytest.raises(SourceError, match="damaged or incomplete: a header of"):
        unpack(tmp_path / "a.tar", tmp_path / "out", LIMITS)


def test_an_encrypted_zip_is_refused(tmp_path: Path):
    archive = pack_zip(tmp_path / "a.zip", {"a.png": NOISE})
    content = bytearray(archive.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[6] |= 1  # the encryption flag of the file and of its directory entry
    content[directory + 8] |= 1
    archive.write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.zip: a\.png is encrypted; unpack it first"):
        unpack(archive, tmp_path / "out", LIMITS)


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path: Path):
    archive = pack_zip(tmp_path / "a.zip", {"a.png": bytes(40_000)})
    content = bytearray(archive.read_bytes())
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, 10)
    archive.write_bytes(content)
    with pytest.raises(SourceError, match="damaged"):
        unpack(archive, tmp_path / "out", LIMITS)


def test_a_zip_whose_directory_points_before_the_file_is_refused(tmp_path: Path):
    archive = pack_zip(tmp_path / "a.zip", {"a.png": NOISE})
    content = bytearray(archive.read_bytes())
    end = content.index(b"PK\x05\x06")
    struct.pack_into("<I", content, end + 16, 0x7FFFFFFF)  # where the directory would begin
    archive.write_bytes(content)
    with pytest.raises(SourceError, match="damaged"):
        unpack(archive, tmp_path / "out", LIMITS)


@every_kind
@pytest.mark.parametrize("part", [0.1, 0.5, 0.8, 0.95])
def test_a_truncated_archive_is_refused(pack: Pack, part: float, tmp_path: Path):
    archive = pack(tmp_path / "archive", {f"{k}.jpg": NOISE[k:] for k in range(6)})
    content = archive.read_bytes().rstrip(b"\0")  # a tar ends in zeros that nobody needs
    archive.write_bytes(content[: int(part * len(content))])
    with pytest.raises(SourceError, match="archive is damaged or incomplete"):
        unpack(archive, tmp_path / "out", LIMITS)


def test_a_tar_that_ends_between_two_files_is_refused(tmp_path: Path):
    archive = pack_tar(tmp_path / "a.tar", {"a.png": b"a" * 512, "b.png": b"b" * 512})
    archive.write_bytes(archive.read_bytes()[:1024])
    with pytest.raises(SourceError, match="the end of the archive is missing"):
        unpack(archive, tmp_path / "out", LIMITS)


def test_a_tar_with_a_damaged_header_in_the_middle_is_refused(tmp_path: Path):
    archive = pack_tar(tmp_path / "a.tar", {"a.png": b"a" * 512, "b.png": b"b" * 512})
    content = bytearray(archive.read_bytes())
    content[1024] ^= 0xFF  # the first letter of the second name: its checksum is wrong now
    archive.write_bytes(content)
    with pytest.raises(SourceError, match="a header is wrong"):
        unpack(archive, tmp_path / "out", LIMITS)


@pytest.mark.parametrize("pack", [pack_zip, pack_tar_gz])
def test_a_flipped_byte_is_noticed(pack: Pack, tmp_path: Path):
    archive = pack(tmp_path / "archive", {"a.jpg": NOISE})
    content = bytearray(archive.read_bytes())
    content[2000] ^= 0x10
    archive.write_bytes(content)
    with pytest.raises(SourceError, match="damaged"):
        unpack(archive, tmp_path / "out", LIMITS)


def test_one_name_twice_is_refused(tmp_path: Path):
    archive = pack_tar(tmp_path / "a.tar", {"top/a.png": b"1", "./top/a.png": b"2"})
    with pytest.raises(SourceError, match=r"holds a\.png twice"):
        unpack(archive, tmp_path / "out", LIMITS)


@every_kind
def test_a_name_that_no_disk_can_hold_is_refused(pack: Pack, tmp_path: Path):
    archive = pack(tmp_path / "archive", {"ä" * 130 + ".png": b"x"})
    with pytest.raises(SourceError, match="name of more than 255 bytes"):
        unpack(archive, tmp_path / "out", LIMITS)
