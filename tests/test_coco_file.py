"""Single COCO files: recognised by their ends, and refused if they are wrong as a whole."""

from pathlib import Path
from typing import Any

import pytest

from broken_coco import BROKEN_FILES, FILE, annotation, content_of, write_coco
from defectseg.data.layouts.coco import MAX_FILES, fits, read
from defectseg.data.layouts.json_lists import MAX_BYTES
from defectseg.errors import LayoutError


@pytest.mark.parametrize(("_", "write", "message"), BROKEN_FILES)
def test_a_file_that_is_wrong_as_a_whole_is_refused(
    tmp_path: Path, _: str, write: Any, message: str
):
    write(tmp_path)
    with pytest.raises(LayoutError, match=f"(?s){message}") as error:
        read(tmp_path)
    assert len(str(error.value)) < 1000


def test_a_file_of_two_gigabytes_is_refused_unread(tmp_path: Path):
    write_coco(tmp_path, content_of())
    with (tmp_path / FILE).open("r+b") as file:
        file.truncate(MAX_BYTES + 1)  # takes no room on the disk
    assert fits(tmp_path)
    with pytest.raises(LayoutError, match=f"{MAX_BYTES + 1} bytes, more than {MAX_BYTES}"):
        read(tmp_path)


@pytest.mark.parametrize("pad", [0, 70_000, 300_000])
def test_a_large_file_is_recognised_by_its_ends(tmp_path: Path, pad: int):
    shape = {"size": [1, pad + 1], "counts": "0" * pad}
    content = content_of(annotations=[annotation(segmentation=shape)])
    turned = dict(sorted(content.items()))  # the other two lists come after the large one
    assert fits(write_coco(tmp_path / "a", content))
    assert fits(write_coco(tmp_path / "b", turned))


@pytest.mark.parametrize(
    "text",
    [
        '[{"images": [], "annotations": []}]',
        '{"images": []}',
        '{"images": {}, "annotations": {}}',
        '{"shapes": [], "imagePath": "a.png"}',
        "",
        "images annotations categories",
    ],
)
def test_other_json_is_not_recognised(tmp_path: Path, text: str):
    assert not fits(write_coco(tmp_path, text))


def test_only_so_many_files_are_looked_at(tmp_path: Path):
    write_coco(tmp_path, content_of())
    for number in range(MAX_FILES):
        (tmp_path / f"annotations/{number:03}.json").write_text("{}", "utf-8")
    assert not fits(tmp_path)
