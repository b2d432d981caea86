"""benchmarks/magnetic_tiles/reference: the other learner is scored in its way and in ours."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from defectseg.data.tile import CLEAN, TileSet
from defectseg.inference.operating_point import neutral_point
from defectseg.network.tensors import write_tensors
from tiny import write_tiles

BENCHMARK = Path(__file__).parents[1] / "benchmarks/magnetic_tiles"
sys.path.insert(0, str(BENCHMARK))

import protocol  # noqa: E402
import reference  # noqa: E402
import run_reference  # noqa: E402

KINDS = ("crack", "blowhole", CLEAN)


class Bright(nn.Module):
    """Says defect where a picture is brighter than the middle."""

    def forward(self, images: Tensor) -> Tensor:
        grey = images.mean(1, keepdim=True)
        return torch.cat([0.5 - grey, grey - 0.5], dim=1) * 100


@pytest.fixture
def tiles(tmp_path: Path) -> TileSet:
    return write_tiles(tmp_path / "tiles", KINDS * 5)


def bright() -> reference.ReferenceEngine:
    cpu = torch.device("cpu")
    return reference.ReferenceEngine(Bright(), neutral_point([reference.DEFECT]), cpu)


def test_every_defect_becomes_one_class_and_pictures_stay(tiles: TileSet, tmp_path: Path):
    both = reference.two_classes(tiles, tmp_path / "two")
    assert both.classes == ("defect",)
    for old, new in zip(tiles.tiles, both.tiles, strict=True):
        assert np.array_equal(both.mask(new), tiles.mask(old) > 0)
        assert np.array_equal(both.picture(new, 1), tiles.picture(old, 1))
        assert (new.surface, new.is_defect) == (old.surface, old.is_defect)
    assert {tile.defect_class for tile in both.tiles} == {"defect", CLEAN}


def test_a_random_fifth_of_the_defects_is_test(tiles: TileSet):
    train, test = reference.random_split(tiles, seed=0)
    assert (len(train.tiles), len(test.tiles)) == (8, 2)
    assert all(tile.is_defect for tile in (*train.tiles, *test.tiles))
    assert not {tile.id for tile in train.tiles} & {tile.id for tile in test.tiles}


def test_squares_cover_a_picture_and_overlap_as_little_as_they_can():
    assert reference.starts(200, 200) == [0]
    assert reference.starts(300, 200) == [0, 100]
    assert reference.starts(500, 200) == [0, 150, 300]


@pytest.mark.parametrize("shape", [(300, 450), (450, 300), (224, 224)])
def test_the_engine_sees_the_whole_picture_where_it_is(shape: tuple[int, int]):
    picture = np.zeros((1, *shape, 1), dtype=np.uint8)
    picture[:, 20:60, -90:-30] = 255
    found = bright().run(picture)
    assert found.probability.shape == (1, 2, *shape)
    assert np.allclose(found.probability.sum(axis=1), 1, atol=1e-5)
    wrong = found.mask != (picture[..., 0] > 0)
    assert wrong.mean() < 0.01


def test_the_centre_is_a_square_of_the_shorter_side():
    image = np.zeros((100, 200), dtype=np.uint8)
    image[:, 50:150] = 200
    assert reference.centre(image).shape == (224, 224)
    assert reference.centre(image)[:, 4:-4].min() == 200


def test_pixels_of_all_pictures_are_pooled():
    confusion = np.array([[[90.0, 0.0], [5.0, 5.0]], [[80.0, 10.0], [0.0, 10.0]]])
    found = reference.pooled(confusion, ["a", "b"])
    assert found["dice_pooled"] == pytest.approx(2 * 15 / (2 * 15 + 10 + 5), abs=1e-6)
    assert found["pixel_accuracy"] == pytest.approx(185 / 200)
    assert found["interval"]["low"] <= found["dice_pooled"] <= found["interval"]["high"]


@pytest.mark.slow
def test_a_fold_is_trained_once_and_scored_in_both_ways(
    tiles: TileSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reference, "SIDE", 64)
    hashed = tuple(replace(tile, sha256=tile.sha256 * 8) for tile in tiles.tiles)
    folds = protocol.Protocol(
        replace(tiles, tiles=hashed), {t.id: n // 5 for n, t in enumerate(tiles.tiles)}
    )
    both = reference.two_classes(folds.tiles, tmp_path / "two")
    recipe = reference.Recipe(1, 0.001, batch_size=2, frozen_first=False, bfloat16=True)
    seen: list[torch.dtype] = []
    monkeypatch.setattr(reference.Bfloat16, "after_pred", noting(seen, reference.Bfloat16))
    cpu = torch.device("cpu")
    facts = run_reference.run("0", recipe, folds, both, cpu, tmp_path / "work")
    shown = [t for t in both.tiles if t.is_defect and folds.split(0).parts[t.id] == "train"]
    assert facts["pictures_seen"] == len(shown)
    assert 0 <= facts["scores"]["own"]["dice_pooled"] <= 1
    ours = facts["scores"]["ours"]
    assert ours["pictures"] == 5
    assert {"dice_pooled", "image_auroc", "escape_rate", "false_alarm_rate"} <= ours.keys()
    json.dumps(facts, allow_nan=False)
    weights = tmp_path / "work/reference/1-epochs-0.001-whole-bfloat16-0.safetensors"
    assert set(seen) == {torch.bfloat16}
    written = weights.stat().st_mtime_ns
    train = run_reference.parts_of("0", folds, both)["train"]
    reference.train(train, recipe, 0, cpu, weights)
    assert weights.stat().st_mtime_ns == written


def test_another_body_begins_with_its_weights_frozen_and_sees_colours_about_their_mean(
    tiles: TileSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reference, "SIDE", 64)
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    body = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    weights = body.state_dict()
    weights["conv_stem.weight"].fill_(0.125)
    write_tensors(tmp_path / "tf_efficientnet_lite0.safetensors", weights)
    recipe = reference.Recipe(1, 0.001, batch_size=2, body="tf_efficientnet_lite0")
    both = reference.two_classes(tiles, tmp_path / "two")
    learn = reference.learner(both, recipe, 0, torch.device("cpu"))
    network = learn.model.eval()
    mean = torch.tensor(body.default_cfg["mean"]).reshape(1, 3, 1, 1).expand(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.count_nonzero(network.layers[0][0](mean)) == 0
        assert torch.all(network.layers[0][0](mean + 0.1) > 0)
        assert network(mean.contiguous()).shape == (2, 2, 64, 64)
    convolutions = [module for module in network.layers[0].modules() if type(module) is nn.Conv2d]
    assert not any(module.weight.requires_grad for module in convolutions)
    assert len(network.sfs) == 4  # what the decoder sees beside the last stage


def noting(seen: list[torch.dtype], callback: type[reference.Bfloat16]) -> Callable[..., None]:
    """The callback's `after_pred`, which notes first of what type the prediction is."""
    original = callback.after_pred

    def after_pred(self: reference.Bfloat16) -> None:
        seen.append(self.pred.dtype)
        original(self)

    return after_pred


def test_its_own_scoring_never_sees_what_lies_outside_of_the_centre(tmp_path: Path):
    wide = np.zeros((64, 192), dtype=np.uint8)
    wide[:, :32] = 1  # the first sixth
    middle = np.roll(wide, 80, axis=1)
    kinds = ("crack", "blowhole")
    written = write_tiles(tmp_path / "wide", kinds, {"crack": wide, "blowhole": middle})
    tiles = reference.two_classes(written, tmp_path / "two")
    blind = reference.ReferenceEngine(Blind(), neutral_point(["defect"]), torch.device("cpu"))
    outside, inside = (
        reference.score_own_way(blind, tiles.only([tile.id])) for tile in tiles.tiles
    )
    assert outside["dice_pooled"] is None  # nothing to find, nothing found
    assert inside["dice_pooled"] == 0


class Blind(nn.Module):
    """Calls everything clean."""

    def forward(self, images: Tensor) -> Tensor:
        logits = torch.zeros(len(images), 2, *images.shape[2:])
        logits[:, 0] = 9
        return logits
