"""benchmarks/magnetic_tiles/fold: what is scored of a model, and how it predicts."""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from defectseg.confusion import any_defect, iou_macro
from defectseg.data.split import Split
from defectseg.data.tile import CLEAN, TileSet
from defectseg.evaluation.scored import score_part
from defectseg.inference.operating_point import neutral_point
from defectseg.inference.torch_engine import TorchEngine
from defectseg.network.unet import file_digest, load_unet
from tiny import CLASSES, model_info, network, tile, write_tiles

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks/magnetic_tiles"))

import fold
import settings
import starts
from flips import MirroredMean
from remembered import Remembered

CPU = torch.device("cpu")
SIZE = model_info().image_size


def setting(**changes: Any) -> settings.Setting:
    return replace(settings.read_setting("small"), **changes)


def test_one_picture_of_each_surface_is_taken_of_all_exposures_in_turn():
    rows = [tile(f"exp{e}_num_{s}", CLEAN, f"s{s}") for e in (1, 2, 3) for s in range(6)]
    chosen = fold.one_of_each_surface(TileSet(Path(), (), tuple(rows)))
    assert Counter(each.surface for each in chosen.tiles) == {f"s{s}": 1 for s in range(6)}
    assert Counter(each.id[:4] for each in chosen.tiles) == {"exp1": 2, "exp2": 2, "exp3": 2}


def test_the_scores_on_train_are_those_of_the_plain_masks(tmp_path: Path):
    tiles = write_tiles(tmp_path, (*CLASSES, CLEAN))
    net, info, point = network(), model_info(), neutral_point(CLASSES)
    found = fold.score_train(net, info, setting(), tiles, CPU)
    pictures, _ = score_part(TorchEngine(net, SIZE, point, CPU), point, tiles, 1, "train")
    pooled = np.sum([each.confusion for each in pictures], axis=0)
    assert found["pictures"] == 3
    assert found["iou_macro"] == pytest.approx(iou_macro(pooled), abs=1e-6)
    assert found["dice_pooled"] == pytest.approx(any_defect(pooled).dice, abs=1e-6)
    assert set(found) >= {f"iou_{name}" for name in CLASSES}


def test_a_setting_may_predict_at_another_size_than_it_was_trained_at(tmp_path: Path):
    tiles = write_tiles(tmp_path, ("crack",))
    picture = tiles.picture(tiles.tiles[0], 1)[None]
    net, point = network(), neutral_point(CLASSES)
    told = {}
    for asked, size in ((None, SIZE), (96, 96)):
        own = fold.engine_of(net, model_info(), setting(predict_size=asked), CPU)
        there = TorchEngine(net, size, point, CPU)
        told[asked] = own.run(picture).probability
        assert np.array_equal(told[asked], there.run(picture).probability)
    assert not np.allclose(told[None], told[96], atol=1e-3)


WRITTEN = """
first:
  why: it is first
  train.epochs: 1
  train.image_size: 64
  train.pictures_per_epoch: 8
  train.batch_size: 4
  train.network.encoder: tu-test_resnet
  train.network.decoder_channels: [16, 8, 8, 4, 4]
second: {from: first, why: smaller batches, goes_on: first, train.batch_size: 2}
third: {from: second, why: mirrored, flips: true}
"""


def test_a_training_goes_on_from_what_another_setting_made_of_the_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "settings.yaml").write_text(WRITTEN)
    monkeypatch.setattr(settings, "SETTINGS", tmp_path / "settings.yaml")
    tiles = write_tiles(tmp_path / "tiles", (*CLASSES, CLEAN) * 2)
    parts = dict(zip((each.id for each in tiles.tiles), ["train"] * 3 + ["valid"] * 3, strict=True))
    made = {}
    for name in ("second", "first", "third"):
        known, run = settings.read_setting(name), fold.Run(name, 0, 0)
        data = (tiles, Split(parts))
        made[name] = fold.train_cycles(run, known, None, data, CPU, tmp_path / "work")
    first, second = made["second"]
    assert made["first"] == [first]
    assert made["third"] == [first, second]
    _, info = load_unet(second.weights)
    assert info.start_digest == file_digest(first.weights)
    assert count_folders(tmp_path / "work/runs") == 2
    facts = fold.describe(settings.read_setting("second"), None, [first, second], info)
    assert facts["pictures_seen"] == 16
    assert facts["earlier_records"] == [fold.read_record(first)]


def test_drawn_tiles_lie_beside_the_real_ones_where_a_setting_asks_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    drawn = write_tiles(tmp_path / "drawn", CLASSES)
    monkeypatch.setattr(starts, "draw", lambda params, work: (drawn, Split({})))
    asks, plain = settings.read_setting("mixed"), settings.read_setting("whole")
    assert starts.beside_of(plain, tmp_path) == plain.train.beside
    beside = starts.beside_of(asks, tmp_path)
    assert (beside.tiles, beside.share) == (str(drawn.folder), asks.drawn_share)


def count_folders(folder: Path) -> int:
    return len(list(folder.iterdir()))


def test_a_picture_is_computed_once():
    seen: list[int] = []
    net = network()
    net.register_forward_hook(lambda *_: seen.append(1))
    remembered = Remembered(net)
    pictures = torch.rand(3, 1, 2, 64, 64)
    with torch.inference_mode():
        for _ in range(2):
            for picture in pictures:
                assert torch.equal(remembered(picture), net(picture))
    assert len(seen) == 3 + 6  # three by itself, six of the comparison


def test_the_mirrored_mean_of_a_mirrored_picture_is_mirrored():
    seen = MirroredMean(network())
    images = torch.rand(1, 2, 64, 64)
    with torch.inference_mode():
        plain, mirrored = seen(images), seen(images.flip(3)).flip(3)
    assert torch.allclose(plain, mirrored, atol=1e-5)
    assert not torch.allclose(plain, network()(images), atol=1e-3)
