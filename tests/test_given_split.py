"""given_split: tables and folders that somebody else wrote, and the pictures that they mean."""

from pathlib import Path

import pytest

from defectseg.data.audit.given_split import (
    match_split,
    read_given_split,
    split_by_folders,
    to_part,
)
from defectseg.errors import DataError, OffendersError, SplitError


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "split.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pictures(*paths: str) -> dict[str, str]:
    """Pictures called by their paths."""
    return {path: path for path in paths}


def match(rows: dict[str, str], *paths: str, partial: bool = False) -> dict[str, str]:
    return match_split(rows, pictures(*paths), partial).parts


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("train", "Training", " TRAIN ", "train2017"), "train"),
        (("valid", "val", "validation", "dev", "Val2017"), "valid"),
        (("test", "testing", "holdout"), "test"),
        (("", "tests", "1", "train17", "trainval", "2017"), None),
    ],
)
def test_parts_have_many_names(words: tuple[str, ...], part: str | None):
    assert [to_part(word) for word in words] == [part] * len(words)


@pytest.mark.parametrize(
    "content",
    [
        "id,part\na,train\nb,test\n",
        "ID,Split\na,Training\nb,Holdout\n",
        "subset;width;file_name\ntrain;3;a\ntest;4;b\n",
        "File Name\tset\na\ttrain\nb\ttesting\n",
        b"\xef\xbb\xbfimage;fold\r\na;train\r\nb;test\r\n",
        'name,part\n"a",train\n" b ",test\n',
        "id,path,part\n1,a,train\n2,b,test\n",
    ],
    ids=["ours", "case", "semicolons", "tabs", "excel", "quoted", "path before id"],
)
def test_a_table_is_read_however_it_is_written(tmp_path: Path, content: str | bytes):
    assert read_given_split(write(tmp_path, content)) == {"a": "train", "b": "test"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has the columns ; expected one of path, file"),
        ("id,label\na,train\n", "has the columns id, label; expected one of path"),
        ("part\ntrain\n", "has the columns part; expected one of path"),
        ("id,part\n", "has no row; expected one for each picture"),
        (b"id,part\n\xff\xfe,train\n", "is no table of a split: .*decode"),
        ("id,part\n" + "a" * 200_000 + ",train\n", "is no table of a split: field larger"),
        ('id,part\n"a,train\n', "is no table of a split: unexpected end"),
    ],
    ids=["empty", "no part", "no picture", "no row", "binary", "huge cell", "open quote"],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: str | bytes, message: str):
    with pytest.raises(SplitError, match=message):
        read_given_split(write(tmp_path, content))


def test_a_missing_table_is_refused(tmp_path: Path):
    with pytest.raises(SplitError, match=r"split\.csv is no table of a split: .*No such file"):
        read_given_split(tmp_path / "split.csv")


def test_every_row_without_a_part_or_a_name_is_listed(tmp_path: Path):
    path = write(tmp_path, f"id,part\na,train\nb,fold1\n,test\nc\n{'d' * 1001},test\n")
    with pytest.raises(OffendersError) as caught:
        read_given_split(path)
    assert caught.value.offenders == (
        "row 3: b is in 'fold1'",
        "row 4: '' is no name of a picture",
        "row 5: c is in ''",
        f"row 6: '{'d' * 100}…' is no name of a picture",
    )
    assert "Parts: train, training, valid, val, validation, dev, test" in str(caught.value)


def test_a_picture_in_two_parts_is_refused(tmp_path: Path):
    with pytest.raises(OffendersError, match="row 3: a is in test, and in train before"):
        read_given_split(write(tmp_path, "id,part\na,train\na,test\n"))


def test_a_row_that_comes_twice_is_one(tmp_path: Path):
    assert read_given_split(write(tmp_path, "id,part\na,train\na,training\n")) == {"a": "train"}


@pytest.mark.parametrize(
    "row",
    ["x/y/a.jpg", "y/a.jpg", "a.jpg", "a", "y/a", "/mnt/set/x/y/a.jpg", "x\\y\\a.jpg", "a.png"],
)
def test_a_picture_is_found_by_its_path_its_end_its_name_or_its_stem(row: str):
    assert match({row: "train"}, "x/y/a.jpg") == {"x/y/a.jpg": "train"}


def test_of_pictures_with_one_name_the_one_in_the_same_folders_is_meant():
    paths = ("left/1/a.jpg", "right/1/a.jpg")
    assert match({"left/1/a.jpg": "train", "right/1/a": "test"}, *paths) == {
        "left/1/a.jpg": "train",
        "right/1/a.jpg": "test",
    }
    assert match({"/set/right/1/a.jpg": "test"}, *paths, partial=True) == {"right/1/a.jpg": "test"}


def test_an_exact_path_is_meant_though_another_one_ends_so():
    rows = {"a.jpg": "train", "x/a.jpg": "test"}
    assert match(rows, "x/a.jpg", "a.jpg") == {"a.jpg": "train", "x/a.jpg": "test"}


def test_the_longest_agreement_wins():
    paths = ("1/a.jpg", "x/1/a.jpg")
    assert match({"/set/x/1/a.jpg": "test"}, *paths, partial=True) == {"x/1/a.jpg": "test"}


def test_many_pictures_of_one_name_are_told_apart():
    paths = [f"{camera}/{number:03}/image.png" for camera in "xy" for number in range(300)]
    rows = {f"/set/{path}": "train" for path in [*paths, "image.png"]}
    given = match_split(rows, pictures("image.png", *paths), partial=False)
    assert list(given.parts) == ["image.png", *paths]
    with pytest.raises(OffendersError) as caught:
        match({"z/000/image.png": "test"}, *paths)
    assert caught.value.offenders == (
        "z/000/image.png: may be x/000/image.png or x/001/image.png or x/002/image.png",
    )


def test_an_id_with_a_dot_is_no_name_with_an_ending():
    assert match({"a.1": "train", "a.2": "test"}, "a.1.jpg", "a.2.jpg") == {
        "a.1.jpg": "train",
        "a.2.jpg": "test",
    }


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("b.jpg", "b.jpg: no such picture"),
        ("a.jpg", "a.jpg: may be x/1/a.jpg or y/1/a.jpg"),
        ("a", "a: may be x/1/a.jpg or y/1/a.jpg"),
        ("z/1/a.jpg", "z/1/a.jpg: may be x/1/a.jpg or y/1/a.jpg"),  # neither: z is another folder
        ("c.txt", "c.txt: no such picture"),
    ],
)
def test_a_row_that_means_no_one_picture_is_refused(row: str, fault: str):
    with pytest.raises(OffendersError) as caught:
        match({row: "train"}, "x/1/a.jpg", "y/1/a.jpg", "c.jpg", partial=True)
    assert caught.value.offenders == (fault,)


def test_two_rows_for_one_picture_are_refused():
    with pytest.raises(OffendersError, match=r"  p/a\.jpg: means a\.jpg, as a does"):
        match({"a": "train", "p/a.jpg": "train"}, "a.jpg")


def test_pictures_without_a_row_are_listed_unless_the_split_is_partial():
    rows = {"b": "test"}
    with pytest.raises(OffendersError) as caught:
        match(rows, "c.jpg", "a.jpg", "b.jpg")
    assert caught.value.offenders == ("a.jpg", "c.jpg")
    given = match_split(rows, pictures("c.jpg", "a.jpg", "b.jpg"), partial=True)
    assert given.parts == {"b.jpg": "test"}
    assert given.without_part == ("a.jpg", "c.jpg")


def test_the_parts_are_in_the_order_of_the_pictures():
    given = match_split({"b": "test", "a": "train"}, {"1": "a.jpg", "2": "b.jpg"}, partial=False)
    assert list(given.parts.items()) == [("1", "train"), ("2", "test")]


def test_folders_are_parts():
    paths = ("set/Train/1/a.jpg", "set/val/b.jpg", "testing/c.jpg", "train/train/d.jpg")
    parts = split_by_folders(pictures(*paths), partial=False).parts
    assert list(parts.values()) == ["train", "valid", "test", "train"]


def test_a_file_named_like_a_part_is_in_none():
    given = split_by_folders(pictures("train/a.jpg", "x/test"), partial=True)
    assert given.parts == {"train/a.jpg": "train"}
    assert given.without_part == ("x/test",)


def test_pictures_in_the_folders_of_two_parts_are_listed():
    with pytest.raises(OffendersError) as caught:
        split_by_folders(pictures("train/a.jpg", "train/test/b.jpg"), partial=True)
    assert caught.value.offenders == ("train/test/b.jpg: test and train",)


def test_pictures_outside_of_the_parts_are_listed_unless_the_split_is_partial():
    with pytest.raises(OffendersError, match="pictures without a part"):
        split_by_folders(pictures("train/a.jpg", "b.jpg"), partial=False)


@pytest.mark.parametrize("partial", [False, True])
def test_a_split_that_knows_no_picture_is_refused(partial: bool):
    with pytest.raises(DataError, match=r"pictures without a part|gives no picture a part"):
        split_by_folders(pictures("b.jpg"), partial)
