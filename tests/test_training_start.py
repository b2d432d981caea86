"""training: what a training begins with is part of what it is."""

import hashlib
from pathlib import Path

import pytest

from defectseg.data.split import Split
from defectseg.errors import TrainingError
from defectseg.network.training import fingerprint, start_digest
from tiny import network_params, train_params

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
    before = fingerprint(params, 0, start_digest(params), "code", "data", SPLIT)
    assert before == fingerprint(params, 0, start_digest(params), "code", "data", SPLIT)
    file.write_bytes(b"other weights")
    assert before != fingerprint(params, 0, start_digest(params), "code", "data", SPLIT)
