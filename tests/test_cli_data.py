"""cli: `defectseg data leaks` on pictures and tables of others, `defectseg data diff`."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from typer.testing import CliRunner

from defectseg.cli import app
from defectseg.commands.diff import describe_diff
from defectseg.data.audit.diff import Balance, ClassChange, DataDiff, Relabelled
from defectseg.data.tile import Tile, write_manifest

NOTHING = DataDiff("a", "b", (3, 3), (2, 2), (), (), (), (), (), (), ())


def save_photograph(path: Path, surface: int, grey: int) -> None:
    """Save a picture of a surface at a brightness."""
    grain = ndimage.gaussian_filter(np.random.default_rng(surface).normal(size=(150, 140)), 1.5)
    noise = np.random.default_rng([surface, grey]).normal(0, 2, grain.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = grey * (1 + 0.15 * grain / grain.std()) + noise
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures each of the surfaces 1, 2 and 3, with a mask that is no picture."""
    folder = tmp_path_factory.mktemp("pictures")
    for surface in (1, 2, 3):
        for grey in (90, 130):
            save_photograph(folder / f"x/p{surface}_{grey}.png", surface, grey)
    (folder / "masks").mkdir()
    (folder / "masks/p1_90.png").touch()
    return folder


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, where the command runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_split(**parts: str) -> Path:
    path = Path("split.csv")
    rows = "".join(f"{name},{part}\n" for name, part in parts.items())
    path.write_text(f"filename,subset\n{rows}")
    return path


def run(*arguments: str | Path, status: int = 0) -> list[str]:
    """The lines that a command writes; of its errors, if it fails by wrong input."""
    result = CliRunner().invoke(app, ["data", *(str(one) for one in arguments)])
    assert result.exit_code == status, result.output
    return (result.stderr if status == 2 else result.stdout).splitlines()


LEAKING = {
    "p1_90.png": "training",
    "p1_130.png": "test",
    "p2_90": "test",
    "p2_130": "test",
    "p3_90": "val",
    "p3_130": "val",
}


def test_a_leak_is_told_with_its_pictures_and_status_1(pictures: Path):
    write_split(**LEAKING)
    lines = run("leaks", pictures, "--split", "split.csv", status=1)
    assert lines == [
        "train 1, valid 2, test 3 pictures",
        "",
        "parts            surfaces in both",
        "train and valid                 0",
        "train and test                  1",
        "valid and test                  0",
        "train and test, such as:",
        "  x/p1_90.png (train) and x/p1_130.png (test)",
        "",
        "0 of 2 valid pictures (0.0 %) have a sibling in train",
        "1 of 3 test pictures (33.3 %) have a sibling in train",
        "LEAK: a score on such a split flatters; keep each surface in one part",
    ]


def test_a_file_gets_every_leak(pictures: Path):
    write_split(**LEAKING)
    run("leaks", pictures, "--split", "split.csv", "--json", "out.json", status=1)
    report = json.loads(Path("out.json").read_text())
    assert report["leaked_surfaces"] == 1
    (leak,) = report["leaks"].values()
    assert leak == {"train": ["x/p1_90.png"], "test": ["x/p1_130.png"]}
    assert report["without_part"] == []


def test_without_a_leak_the_status_is_0(pictures: Path):
    write_split(**LEAKING | {"p1_130.png": "train"})
    assert run("leaks", pictures, "--split", "split.csv")[-1].startswith("no leak: every surface")


def test_parts_may_be_folders_of_an_archive(pictures: Path, workplace: Path):
    for part, name in (("train", "p1_90"), ("train", "p1_130"), ("test", "p2_90")):
        (workplace / "in" / part).mkdir(parents=True, exist_ok=True)
        shutil.copy(pictures / f"x/{name}.png", workplace / "in" / part)
    shutil.make_archive("set", "zip", workplace / "in")
    assert run("leaks", "set.zip", "--split", "folders")[0] == "train 2, valid 0, test 1 pictures"
    shutil.move("in/train/p1_130.png", "in/test")
    assert run("leaks", "in", "--split", "folders", status=1)[-1].startswith("LEAK")


def test_pictures_that_a_partial_split_leaves_out_are_counted(pictures: Path):
    write_split(p1_90="train", p2_90="test")
    said = run("leaks", pictures, "--split", "split.csv", status=2)
    assert said[0] == "error: pictures without a part (4):"
    lines = run("leaks", pictures, "--split", "split.csv", "--partial")
    assert lines[:2] == [
        "train 1, valid 0, test 1 pictures",
        "4 pictures are not in the split and do not count",
    ]


def test_the_similarity_may_be_chosen(pictures: Path):
    write_split(**LEAKING)
    run("leaks", pictures, "--split", "split.csv", "--similarity", "0.999")


def test_the_similarity_of_params_yaml_is_taken(pictures: Path):
    write_split(**LEAKING)
    surfaces = "source: none, column: a, regex: null, similarity: 0.999, neighbours: 2"
    Path("params.yaml").write_text(f"data_load: {{other: 1, surfaces: {{{surfaces}}}}}\n")
    run("leaks", pictures, "--split", "split.csv")
    run("leaks", pictures, "--split", "split.csv", "--similarity", "0.2", status=1)


@pytest.fixture
def tiles(workplace: Path) -> Path:
    """A folder of tiles without files: surface a has two pictures, b one."""
    (workplace / "data/tiles").mkdir(parents=True)
    named = {"a1": "a", "a2": "a", "b1": "b"}
    write_manifest(
        workplace / "data/tiles",
        ["crack"],
        [
            Tile(key, f"images/{key}.png", f"masks/{key}.png", "crack", name, 4, 2, 3, "0" * 64)
            for key, name in named.items()
        ],
    )
    return workplace / "data/tiles"


def test_without_a_source_the_tiles_and_their_split_are_checked(tiles: Path):
    (tiles.parent / "split.csv").write_text("id,part\na1,train\na2,test\nb1,test\n")
    lines = run("leaks", status=1)
    assert "1 of 2 test pictures (50.0 %) have a sibling in train" in lines
    (tiles.parent / "split.csv").write_text("id,part\na1,train\na2,train\nb1,test\n")
    run("leaks")


def test_many_examples_are_cut(workplace: Path):
    (workplace / "data/tiles").mkdir(parents=True)
    names = [f"{surface}{number}" for surface in "abcdefg" for number in (1, 2)]
    rows = [Tile(n, "images/x.png", "masks/x.png", "crack", n[0], 4, 2, 3, "") for n in names]
    paths = [Tile(t.id, f"images/{t.id}.png", *list(vars(t).values())[2:]) for t in rows]
    write_manifest(workplace / "data/tiles", ["crack"], paths)
    split = "".join(f"{n},{'train' if n[1] == '1' else 'valid'}\n" for n in names)
    (workplace / "data/split.csv").write_text(f"id,part\n{split}")
    lines = run("leaks", status=1)
    assert "  e1 (train) and e2 (valid)" in lines
    assert "  … and 2 more" in lines
    assert "  f1 (train) and f2 (valid)" not in lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("leaks",), "data/tiles has no good manifest"),
        (("leaks", "none"), "no table of a split|none does not exist"),
        (("leaks", "PICTURES", "--split", "none.csv"), "none.csv is no table of a split"),
        (("leaks", "PICTURES", "--split", "folders"), "pictures without a part (6)"),
        (("leaks", "PICTURES", "--similarity", "7"), "surfaces.similarity: Input should be less"),
        (("leaks", "PICTURES", "--similarity", "nan"), "surfaces.similarity: Input should be"),
        (("leaks", "PICTURES", "--neighbours", "0"), "surfaces.neighbours: Input should be"),
        (("diff", "HEAD"), "is not a git repository"),
        (("diff", "workspace"), "data/tiles/classes.json cannot be read"),
    ],
)
def test_wrong_input_ends_with_a_message_and_status_2(
    pictures: Path, arguments: Sequence[str], message: str
):
    filled = [str(pictures) if one == "PICTURES" else one for one in arguments]
    said = "\n".join(run(*filled, status=2))
    assert said.startswith("error: ")
    assert any(part in said for part in message.split("|"))


def test_no_change_is_one_line():
    assert describe_diff(NOTHING, markdown=False) == [
        "Data: a → b",
        "",
        "no change in 3 pictures",
    ]


CHANGES = DataDiff(
    before="v1",
    after="workspace",
    pictures=(12, 14),
    surfaces=(5, 5),
    added=tuple(f"n{number:02}" for number in range(22)),
    removed=("r",),
    changed=("c",),
    relabelled=(
        Relabelled("s", None, None, (5, 6), ""),
        Relabelled("t", 0.5, 0.25, (7, 7), "Ann"),
        Relabelled("u", 1.0, 0.75, (9, 8), ""),
    ),
    class_changes=(ClassChange("t", "crack", "hole"),),
    moved=("m",),
    balance=(Balance("crack", (6, 5), (2, 2), (100, 90)), Balance("clean", (6, 9), (3, 3), (0, 0))),
)


def test_a_change_is_counted_then_named():
    lines = describe_diff(CHANGES, markdown=False)
    assert lines[:17] == [
        "Data: v1 → workspace",
        "",
        "what                  how many",
        "pictures          12 → 14 (+2)",
        "surfaces                     5",
        "added                       22",
        "removed                      1",
        "picture changed              1",
        "relabelled                   3",
        "class changed                1",
        "siblings changed             1",
        "",
        "class    pictures  surfaces       defect px",
        "crack  6 → 5 (-1)         2  100 → 90 (-10)",
        "clean  6 → 9 (+3)         3               0",
        "",
        "added (22)",
    ]
    assert lines[17] == "  n00"
    assert lines[36:39] == ["  n19", "  … and 2 more", ""]
    assert lines[39:] == [
        "removed (1)",
        "  r",
        "",
        "picture changed (1)",
        "  c",
        "",
        "relabelled, the least agreement first; mean IoU with the mask before 0.750, "
        "by class 0.500 (3)",
        "  s: another size, 5 → 6 (+1) px",
        "  t: IoU 0.500, by class 0.250, 7 px, by Ann",
        "  u: IoU 1.000, by class 0.750, 9 → 8 (-1) px",
        "",
        "class changed (1)",
        "  t: crack → hole",
        "",
        "siblings changed: the picture's surface has other pictures (1)",
        "  m",
    ]


def test_markdown_folds_the_names_away():
    lines = describe_diff(CHANGES, markdown=True)
    assert lines[:5] == [
        "### Data: v1 → workspace",
        "",
        "| what | how many |",
        "|---|---|",
        "| pictures | 12 → 14 (+2) |",
    ]
    start = lines.index("<details><summary>removed (1)</summary>")
    assert lines[start : start + 5] == [lines[start], "", "- r", "", "</details>"]
    assert "- t: crack → hole" in lines
