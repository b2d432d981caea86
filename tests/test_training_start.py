"""training: what a training begins with is part of what it is."""

import hashlib
from pathlib import Path

import pytest
import torch

from defectseg.data.split import Split
from defectseg.data.tile import CLEAN
from defectseg.errors import TrainingError
from defectseg.network.learner import TrainParams
from defectseg.network.training import (
    Extras,
    ModelFiles,
    fingerprint,
    open_logs,
    start_digest,
    train_model,
)
from tiny import CLASSES, network_params, train_params, write_tiles

SPLIT = Split({"a": "train", "b": "valid"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "begin.safetensors"
    path.write_bytes(b"weights")
    return path


def test_random_weights_and_those_of_a_hub_have_no_digest():
    assert start_digest(train_params()) is None
    assert start_digest(train_params(network=network_params(encoder_weights="imagenet"))) is None


def test_the_file_that_comes_last_is_the_start(file: Path, tmp_path: Path):
    digest = hashlib.sha256(b"weights").hexdigest()
    encoder = network_params(encoder_weights=str(file))
    assert start_digest(train_params(start_from=str(file))) == digest
    assert start_digest(train_params(network=encoder)) == digest
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"other")
    both = train_params(network=encoder, start_from=str(other))
    assert start_digest(both) == hashlib.sha256(b"other").hexdigest()


def test_a_start_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(TrainingError, match=r"train\.start_from: .*gone.*: no such file"):
        start_digest(train_params(start_from=str(tmp_path / "gone.safetensors")))


def test_other_weights_under_the_same_name_are_another_training(file: Path):
    params = train_params(network=network_params(encoder_weights=str(file)))
    before = told(params)
    assert before == told(params)
    file.write_bytes(b"other weights")
    assert before != told(params)


def test_other_tiles_beside_are_another_training():
    assert len({told(train_params(), beside) for beside in (None, "digest", "other")}) == 3


def told(params: TrainParams, beside: str | None = None) -> str:
    extras = Extras(start_digest(params), beside)
    return fingerprint(params, 0, extras, "code", "data", SPLIT)


def test_a_training_learns_from_the_tiles_beside_and_says_so(tmp_path: Path):
    tiles = write_tiles(tmp_path / "tiles", (*CLASSES, CLEAN) * 2)
    others = write_tiles(tmp_path / "others", (CLEAN, *CLASSES) * 2)
    split = Split({each.id: ("train", "valid")[n % 2] for n, each in enumerate(tiles.tiles)})
    made = {}
    for folder in (None, others.folder):
        beside = {"tiles": folder and str(folder), "share": 0.5}
        params = train_params(epochs=1, beside=beside)
        files = ModelFiles(tmp_path / f"{folder is None}.safetensors", tmp_path / "run.json")
        logs = (tmp_path / "losses", tmp_path / "speed", tmp_path / f"{folder is None}")
        with open_logs(*logs) as opened:
            info = train_model(tiles, split, params, 0, torch.device("cpu"), opened, files)
        made[folder] = (info.beside_digest, files.weights.read_bytes())
    assert made[None][0] is None
    assert made[others.folder][0] == others.digest()
    assert made[None][1] != made[others.folder][1]
    assert info.data_digest == tiles.digest()
