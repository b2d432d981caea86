"""commands/export: `defectseg data export`, of labels and of what a model says."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from conftest import mask, save_array, write_images_masks
from dark_model import write_dark_model
from defectseg.cli import app
from defectseg.data.tile import Tile, write_manifest
from defectseg.inference.operating_point import neutral_point
from test_load import load

DRAWN = {"a": mask(".1. ..."), "b": mask("22. ..."), "c": mask("... ...")}


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with three tiles of 3 × 2 px, dark where they are defects, their split, a model."""
    tiles = []
    for key, drawn in DRAWN.items():
        values = np.where(drawn > 0, 0, 255).astype(np.uint8)
        picture = save_array(tmp_path / f"data/tiles/images/{key}.png", values)
        save_array(tmp_path / f"data/tiles/masks/{key}.png", drawn)
        paths = f"images/{picture.name}", f"masks/{picture.name}"
        tiles.append(Tile(key, *paths, "crack", key, 3, 2, int((drawn > 0).sum()), "0" * 64))
    write_manifest(tmp_path / "data/tiles", ["crack", "blowhole"], tiles)
    (tmp_path / "data/split.csv").write_text("id,part\na,train\nb,valid\nc,test\n")
    write_dark_model(tmp_path / "models/unet.onnx")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, status: int = 0) -> str:
    """What the command says: on its output, or on its errors where it fails."""
    result = CliRunner().invoke(app, ["data", "export", *arguments])
    assert result.exit_code == status, result.output
    return result.stderr if status else result.stdout


def coco(folder: str) -> dict[str, Any]:
    return dict(json.loads(Path(folder, "annotations/instances_default.json").read_text()))


def pictures_in(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder, "images").iterdir())


@pytest.mark.parametrize("form", ["coco", "label-studio", "masks"])
def test_labels_of_the_tiles_are_exported_and_load_again(form: str, workplace: Path):
    assert run("out", "--format", form) == f"out: {form}, classes crack, blowhole\n"
    again = load(workplace / "again", workplace / "out", classes=["crack", "blowhole"])
    found = {tile.id: again.mask(tile).tolist() for tile in again.tiles}
    assert found == {key: drawn.tolist() for key, drawn in DRAWN.items()}


def test_labels_are_no_predictions():
    run("out", "--format", "coco")
    assert not any("score" in each for each in coco("out")["annotations"])


def test_predictions_of_the_tiles_have_scores_and_say_which_model(workplace: Path):
    names = ["first", "second"]
    point = neutral_point(names).model_dump_json()
    path = workplace / "models/unet.onnx"
    write_dark_model(path, classes=json.dumps(names), operating_point=point)
    assert run("out", "--format", "coco", "--predictions") == "out: coco, classes first, second\n"
    content = coco("out")
    found = [(each["category_id"], each["area"], each["score"]) for each in content["annotations"]]
    assert found == [(2, 1, 1.0), (2, 2, 1.0)]  # the drawn model calls every defect the second
    assert content["images"][0]["labelled_by"] == "defectseg model 0123456789ab"


def test_pictures_of_a_folder_are_predicted_without_tiles(workplace: Path):
    shutil.rmtree(workplace / "data")
    for name in ("x.png", "line 1/y.png", ".hidden/z.png"):
        save_array(workplace / "new" / name, np.array([[0, 255]], np.uint8))
    run("out", "--format", "masks", "--pictures", "new")
    assert pictures_in("out") == ["line_1__y.png", "x.png"]
    again = load(workplace / "again", workplace / "out")
    assert [again.mask(tile).tolist() for tile in again.tiles] == [[[2, 0]]] * 2


def test_one_part_is_chosen(workplace: Path):
    run("labels", "--format", "coco", "--part", "valid")
    run("told", "--format", "coco", "--part", "test", "--predictions")
    assert (pictures_in("labels"), pictures_in("told")) == (["b.png"], ["c.png"])


def test_polygons_may_be_chosen():
    run("out", "--format", "coco", "--shapes", "polygons")
    assert isinstance(coco("out")["annotations"][0]["segmentation"], list)


def test_another_model_may_be_named(workplace: Path):
    (workplace / "models/unet.onnx").rename(workplace / "mine.onnx")
    run("out", "--format", "coco", "--predictions", "--model", "mine.onnx")


def test_an_existing_folder_is_refused_and_kept(workplace: Path):
    (workplace / "out").mkdir()
    said = run("out", "--format", "coco", status=1)
    assert "error: out exists already; " in said
    assert list((workplace / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--predictions", "--model", "no.onnx"), "no.onnx: no such file; run the pipeline first"),
        (("--predictions", "--model", "data/split.csv"), "cannot load data/split.csv"),
        (("--pictures", "nowhere"), "nowhere is no folder; name one that holds pictures"),
        (("--pictures", "models"), "models holds no picture"),
        (("--part", "dev"), "there is no part 'dev'; expected one of train, valid, test"),
        (("--shapes", "polygons"), "choose shapes masks"),
    ],
)
def test_wrong_input_ends_with_a_message_and_status_1(
    arguments: tuple[str, ...], message: str, workplace: Path
):
    said = run("out", "--format", "masks", *arguments, status=1)
    assert "error: " in said
    assert message in said
    assert not (workplace / "out").exists()


@pytest.mark.parametrize("removed", ["data/tiles/masks/b.png", "data/tiles/images/b.png"])
@pytest.mark.parametrize("form", ["coco", "masks"])
def test_a_file_that_is_gone_is_named_without_a_traceback(removed: str, form: str, workplace: Path):
    (workplace / removed).unlink()
    assert removed in run("out", "--format", form, status=1)
    assert not (workplace / "out").exists()


def test_a_part_of_pictures_without_a_split_is_refused(workplace: Path):
    save_array(workplace / "new/x.png", np.zeros((2, 2), np.uint8))
    said = run("out", "--format", "coco", "--pictures", "new", "--part", "test", status=1)
    assert "--part chooses among data/tiles; leave it out with --pictures" in said


def test_pictures_that_would_have_one_id_are_named(workplace: Path):
    for name in ("x.png", "X.jpg", "y.png"):
        save_array(workplace / "new" / name, np.zeros((2, 2), np.uint8))
    said = run("out", "--format", "coco", "--pictures", "new", status=1)
    assert "pictures that differ only in their ending or case: x" in said


def test_a_missing_manifest_says_what_to_run(workplace: Path):
    write_images_masks(workplace / "in", DRAWN)
    shutil.rmtree(workplace / "data/tiles")
    assert "run data_load first" in run("out", "--format", "coco", status=1)
