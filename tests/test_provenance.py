"""provenance: the digest names the code that ran, and nothing else."""

import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from defectseg.provenance import code_digest, package_version

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A second place of the namespace package `defectseg`, for modules of this test alone."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "defectseg").mkdir()
    importlib.invalidate_caches()
    yield tmp_path
    for name in ("defectseg.extra", "extra"):
        sys.modules.pop(name, None)


def test_a_digest_is_64_hexadecimal_digits_and_the_same_twice():
    assert re.fullmatch(r"[0-9a-f]{64}", code_digest())
    assert code_digest() == code_digest()


def test_a_module_more_is_another_digest(folder: Path):
    (folder / "defectseg/extra.py").write_text("PIXELS = 1\n")
    before = code_digest()
    importlib.import_module("defectseg.extra")
    assert code_digest() != before


def test_an_edited_module_is_another_digest(folder: Path):
    (folder / "defectseg/extra.py").write_text("PIXELS = 1\n")
    importlib.import_module("defectseg.extra")
    before = code_digest()
    (folder / "defectseg/extra.py").write_text("PIXELS = 2\n")
    assert code_digest() != before


def test_a_module_of_another_package_does_not_matter(folder: Path):
    (folder / "extra.py").write_text("PIXELS = 1\n")
    before = code_digest()
    importlib.import_module("extra")
    assert code_digest() == before


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert package_version() == project["version"]
