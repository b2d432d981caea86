"""sources: whatever params.yaml names becomes a folder, with one digest for one content."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import FileServer, load_params, write_mask
from defectseg.data.layouts.find import find_layout
from defectseg.data.sources.source import check_digest, content_digest, open_source
from defectseg.errors import SourceError


def digest_of(folder: Path) -> str:
    layout = find_layout(folder, "auto")
    return content_digest(layout.root, layout.files)


def pack(folder: Path, kind: str, base: str) -> Path:
    """An archive of a folder, below another top folder."""
    top = folder.parent / "to_pack" / base
    shutil.copytree(folder, top)
    return Path(shutil.make_archive(str(folder.parent / "packed"), kind, top.parent))


def test_a_folder_is_used_where_it_lies(class_folders: Path, tmp_path: Path):
    source = open_source(load_params(class_folders), tmp_path / "work")
    assert (source.kind, source.folder) == ("folder", class_folders)


def test_the_synthetic_source_draws_its_pictures(tmp_path: Path):
    source = open_source(load_params("synthetic"), tmp_path / "work")
    assert source.kind == "synthetic"
    assert len(find_layout(source.folder, "auto").records) == 6


@pytest.mark.parametrize(("kind", "expected"), [("zip", "zip"), ("gztar", "tar"), ("tar", "tar")])
def test_an_archive_has_the_digest_of_its_folder(
    kind: str, expected: str, class_folders: Path, tmp_path: Path
):
    archive = pack(class_folders, kind, "some-top-folder")
    source = open_source(load_params(archive), tmp_path / "work")
    assert source.kind == expected
    assert digest_of(source.folder) == digest_of(class_folders)


def test_an_address_gives_what_the_archive_gives(
    class_folders: Path, tmp_path: Path, file_server: FileServer
):
    file_server.content = pack(class_folders, "zip", "top").read_bytes()
    source = open_source(load_params(f"{file_server.url}/master?x=1"), tmp_path / "work")
    assert source.kind == "url"
    assert digest_of(source.folder) == digest_of(class_folders)
    assert not list((tmp_path / "work" / "download").iterdir())


def test_a_page_instead_of_an_archive_is_an_error(tmp_path: Path, file_server: FileServer):
    file_server.content = b"<html>please log in</html>"
    with pytest.raises(SourceError, match=r"tiles\.zip is no archive of the kinds"):
        open_source(load_params(f"{file_server.url}/tiles.zip"), tmp_path / "work")


def test_a_download_over_the_cap_is_an_error(tmp_path: Path, file_server: FileServer):
    file_server.content = bytes(1_000_001)
    with pytest.raises(SourceError, match="larger than 1 MB"):
        open_source(load_params(file_server.url, max_download_mb=1), tmp_path / "work")


def test_a_source_that_does_not_exist_is_an_error_that_says_what_may_stand_there(tmp_path: Path):
    with pytest.raises(SourceError, match=r"nowhere does not exist; expected 'synthetic'"):
        open_source(load_params(tmp_path / "nowhere"), tmp_path / "work")


def test_the_digest_is_what_sha256sum_says(class_folders: Path):
    script = "find . -name '*.jpg' -o -name '*.png' | sed s,^./,, | LC_ALL=C sort | xargs sha256sum"
    environment = {"PATH": os.environ["PATH"]}
    said = subprocess.run(
        ["sh", "-c", script], cwd=class_folders, env=environment, capture_output=True, check=True
    )
    assert digest_of(class_folders) == hashlib.sha256(said.stdout).hexdigest()


def test_the_digest_does_not_depend_on_the_order_of_the_files(class_folders: Path):
    files = find_layout(class_folders, "auto").files
    backwards = content_digest(class_folders, reversed(files))
    assert backwards == content_digest(class_folders, files)


def test_the_digest_counts_pictures_and_masks_and_nothing_else(class_folders: Path):
    before = digest_of(class_folders)
    (class_folders / "README.md").write_text("hello")
    write_mask(class_folders / "dataset.png")
    assert digest_of(class_folders) == before
    write_mask(class_folders / "MT_Crack/Imgs/c1.png", area=7)
    assert digest_of(class_folders) != before


def test_the_digest_changes_with_a_name(class_folders: Path):
    before = digest_of(class_folders)
    (class_folders / "MT_Crack").rename(class_folders / "MT_Fray")
    assert digest_of(class_folders) != before


def test_another_digest_is_an_error_that_names_both():
    check_digest("a" * 64, None)
    check_digest("a" * 64, "a" * 64)
    with pytest.raises(
        SourceError, match=r"a{64}, but data_load\.digest expects b{64}; nothing was"
    ):
        check_digest("a" * 64, "b" * 64)
