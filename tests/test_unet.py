"""unet: the network is built, written and read back, or says why it is not."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from conftest import FileServer
from defectseg.errors import ModelFileError, TrainingError
from defectseg.network.unet import (
    answers,
    build_unet,
    file_digest,
    hub_or_cache,
    load_unet,
    save_unet,
    start_from,
)
from defectseg.pixels import to_input
from tiny import CLASSES, model_info, network, network_params

GREY = torch.randint(0, 256, (2, 80, 120, 1), dtype=torch.uint8)
SIDE = 64  # pixels


def logits(net: torch.nn.Module, pictures: torch.Tensor = GREY) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = net(to_input(pictures, SIDE))
    return found


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("encoder", ["tu-test_resnet", "tu-resnet10t", "resnet18"])
def test_every_architecture_gives_a_plane_of_logits_for_background_and_each_class(
    encoder: str, channels: int
):
    net = build_unet(network_params(encoder=encoder, in_channels=channels), len(CLASSES))
    found = logits(net.eval(), GREY.expand(-1, -1, -1, channels))
    assert (found.shape, found.dtype) == ((2, 3, SIDE, SIDE), torch.float32)


@pytest.mark.parametrize(
    ("wrong", "near"), [("resnet19", "resnet18"), ("tu-resnet10", "tu-resnet10t")]
)
def test_an_encoder_that_does_not_exist_names_the_nearest(wrong: str, near: str):
    with pytest.raises(TrainingError, match=r"train\.network\.encoder: there is no") as caught:
        build_unet(network_params(encoder=wrong), 1)
    named = str(caught.value).partition("the nearest names are: ")[2].split(", ")
    assert near in named
    assert wrong in str(caught.value)


def test_an_encoder_that_is_like_no_other_says_so():
    with pytest.raises(TrainingError, match="the nearest names are: none"):
        build_unet(network_params(encoder="?!"), 1)


def test_a_timm_encoder_may_name_the_tag_of_its_weights():
    net = build_unet(network_params(encoder="tu-test_resnet.r160_in1k"), len(CLASSES))
    assert logits(net.eval()).shape == (2, 3, SIDE, SIDE)


def test_an_encoder_that_cannot_be_a_unet_says_so():
    with pytest.raises(TrainingError, match=r"'tu-test_vit' .* cannot be built"):
        build_unet(network_params(encoder="tu-test_vit"), 1)


# Written and read back.


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A saved model."""
    path = tmp_path / "models/unet.safetensors"
    save_unet(network(), model_info(), path)
    return path


def test_a_loaded_network_gives_the_same_logits(weights: Path):
    loaded, info = load_unet(weights)
    assert info == model_info()
    assert not loaded.training
    assert torch.equal(logits(loaded), logits(network()))


def test_only_two_files_are_left_and_others_may_read_them(weights: Path):
    assert sorted(path.name for path in weights.parent.iterdir()) == [
        "unet.json",
        "unet.safetensors",
    ]
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in weights.parent.iterdir())


def test_a_model_takes_the_place_of_the_one_before_as_a_whole(weights: Path, tmp_path: Path):
    before = weights.read_bytes()
    for name in ("unet.safetensors", "unet.json"):
        os.link(weights.parent / name, tmp_path / name)  # writing into it would change both
    save_unet(network(in_channels=3), model_info(best_epoch=7), weights)
    assert (tmp_path / "unet.safetensors").read_bytes() == before != weights.read_bytes()
    assert json.loads((tmp_path / "unet.json").read_text())["best_epoch"] == 3


def test_the_same_network_gives_the_same_bytes(weights: Path, tmp_path: Path):
    save_unet(network(), model_info(), tmp_path / "again/unet.safetensors")
    assert file_digest(tmp_path / "again/unet.safetensors") == file_digest(weights)
    assert (tmp_path / "again/unet.json").read_bytes() == weights.with_suffix(".json").read_bytes()


def test_a_model_of_hub_weights_is_read_without_the_hub(tmp_path: Path):
    path = tmp_path / "unet.safetensors"
    info = model_info(network=network_params(encoder_weights="imagenet"))
    save_unet(network(), info, path)
    assert torch.equal(logits(load_unet(path)[0]), logits(network()))


def drop_key(path: Path) -> None:
    facts = json.loads(path.with_suffix(".json").read_text())
    del facts["image_size"]
    path.with_suffix(".json").write_text(json.dumps(facts))


def claim_other_encoder(path: Path) -> None:
    info = model_info(network=network_params(encoder="tu-resnet10t"))
    path.with_suffix(".json").write_text(info.model_dump_json())


def claim_unknown_encoder(path: Path) -> None:
    info = model_info(network=network_params(encoder="resnet19"))
    path.with_suffix(".json").write_text(info.model_dump_json())


DAMAGES: dict[str, Callable[[Path], object]] = {
    "no weights": lambda path: path.unlink(),
    "no JSON": lambda path: path.with_suffix(".json").unlink(),
    "weights cut off": lambda path: path.write_bytes(path.read_bytes()[:-8]),
    "weights of another kind": lambda path: path.write_bytes(b"\x80\x04" + bytes(500)),
    "JSON cut off": lambda path: path.with_suffix(".json").write_text('{"classes": ['),
    "JSON without an image size": drop_key,
    "JSON of another encoder": claim_other_encoder,
    "JSON of an unknown encoder": claim_unknown_encoder,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_file_says_so(damage: str, weights: Path):
    DAMAGES[damage](weights)
    with pytest.raises(ModelFileError, match=r"unet\.safetensors and its JSON are no model"):
        load_unet(weights)


# Weights that the encoder begins with.


@pytest.mark.parametrize("prefix", ["", "encoder."])
def test_weights_of_a_file_are_loaded_into_the_encoder(prefix: str, tmp_path: Path):
    path = tmp_path / "encoder.safetensors"
    begun = network().get_submodule("encoder").state_dict()
    save_file({f"{prefix}{name}": value + 1 for name, value in begun.items()}, path)
    net = build_unet(network_params(encoder_weights=str(path)), len(CLASSES))
    loaded = net.get_submodule("encoder").state_dict()
    assert loaded.keys() == begun.keys()
    assert all(torch.equal(loaded[name], begun[name] + 1) for name in begun)


def test_a_whole_model_file_can_be_where_the_encoder_begins(weights: Path):
    net = build_unet(network_params(encoder_weights=str(weights)), len(CLASSES))
    wanted = load_file(weights)
    loaded = net.get_submodule("encoder").state_dict()
    assert all(torch.equal(value, wanted[f"encoder.{name}"]) for name, value in loaded.items())


@pytest.mark.parametrize("channels", [1, 3])
def test_timms_own_weights_for_colour_say_of_a_picture_what_they_said(
    channels: int, tmp_path: Path
):
    path = tmp_path / "timm.safetensors"
    torch.manual_seed(0)
    theirs = timm.create_model("test_resnet", pretrained=False).eval()
    save_file(theirs.state_dict(), path)
    params = network_params(encoder_weights=str(path), in_channels=channels)
    encoder = build_unet(params, 1).get_submodule("encoder").eval()
    picture = torch.rand(1, channels, 64, 64)
    with torch.inference_mode():
        expected = theirs.forward_features(picture.expand(-1, 3, -1, -1))
        found = encoder(torch.cat([picture, torch.rand(1, 1, 64, 64)], dim=1))[-1]
    assert torch.allclose(found, expected, atol=1e-5)
    assert expected.abs().max() > 0.01


def test_weights_of_another_encoder_do_not_fit(weights: Path):
    params = network_params(encoder="tu-resnet10t", encoder_weights=str(weights))
    with pytest.raises(TrainingError, match="does not fit this encoder"):
        build_unet(params, 1)


def test_a_file_that_holds_no_weights_does_not_fit(tmp_path: Path):
    path = tmp_path / "notes.safetensors"
    path.write_text("no weights")
    with pytest.raises(TrainingError, match=r"notes\.safetensors does not fit this encoder"):
        build_unet(network_params(encoder_weights=str(path)), 1)


def test_a_file_of_weights_that_is_not_there_is_not_looked_for_in_the_hub():
    params = network_params(encoder_weights="weights/nowhere.safetensors")
    with pytest.raises(TrainingError, match=r"weights/nowhere\.safetensors: no such file"):
        build_unet(params, 1)


BUILD = """
import sys
import time

from defectseg.network.unet import build_unet
from tiny import network_params

start = time.perf_counter()
try:
    build_unet(network_params(encoder=sys.argv[1], encoder_weights="imagenet"), 1)
finally:
    print(time.perf_counter() - start)
"""
NOWHERE = "http://127.0.0.1:1"  # nothing listens there


@pytest.mark.parametrize("encoder", ["resnet18", "tu-resnet10t"])
def test_a_hub_out_of_reach_says_within_seconds_what_else_to_give(encoder: str, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", BUILD, encoder],
        cwd=Path(__file__).parent,
        env=os.environ | {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": NOWHERE, "HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("defectseg.errors.TrainingError: "), done.stderr
    assert float(done.stdout) < 8  # seconds
    assert "'imagenet' cannot be built" in last
    assert "give train.network.encoder_weights the path of a .safetensors file, or null" in last


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes calls and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_any_answer_is_an_answer(file_server: FileServer):
    file_server.statuses = [404, 503]
    assert [answers(file_server.url) for _ in range(3)] == [True, True, True]


@pytest.mark.parametrize("url", [NOWHERE, "no address"])
def test_where_nobody_listens_nobody_answers(url: str):
    assert not answers(url)


def test_a_server_that_keeps_silent_does_not_answer(silent: str):
    assert not answers(silent)


@pytest.mark.parametrize(
    ("ask", "there", "offline"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_only_a_hub_that_was_asked_and_kept_silent_is_not_asked_again(
    ask: bool, there: bool, offline: bool, file_server: FileServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", file_server.url if there else NOWHERE)
    with pytest.raises(ZeroDivisionError), hub_or_cache(ask):
        assert constants.is_offline_mode() == offline
        raise ZeroDivisionError
    assert not constants.is_offline_mode()


def test_who_wants_no_hub_gets_none(monkeypatch: pytest.MonkeyPatch, file_server: FileServer):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "ENDPOINT", file_server.url)
    with hub_or_cache(ask=True):
        assert constants.is_offline_mode()
    assert constants.is_offline_mode()
    assert file_server.requests == []


def test_options_of_a_timm_encoder_change_its_width_and_come_back(tmp_path: Path):
    options = {"channels": (8, 16, 24, 32), "stem_width": 8}
    params = network_params(encoder="tu-resnet10t", encoder_options=options)
    net = build_unet(params, len(CLASSES))
    assert net.encoder.out_channels[2:] == [8, 16, 24, 32]
    info = model_info().model_copy(update={"network": params})
    save_unet(net, info, tmp_path / "unet.safetensors")
    again, read = load_unet(tmp_path / "unet.safetensors")
    assert read.network == params
    assert torch.equal(logits(again), logits(net.eval()))


@pytest.mark.parametrize(
    ("encoder", "said"),
    [("tu-resnet10t", "does not take .*'chanels'"), ("resnet18", "'resnet18' takes none")],
)
def test_options_that_an_encoder_does_not_take_are_refused(encoder: str, said: str):
    params = network_params(encoder=encoder, encoder_options={"chanels": (8, 16, 24, 32)})
    with pytest.raises(TrainingError, match=said):
        build_unet(params, 1)


def test_training_goes_on_from_the_weights_of_another(tmp_path: Path):
    save_file(network().state_dict(), tmp_path / "unet.safetensors")
    other = build_unet(network_params(), len(CLASSES))
    start_from(other, tmp_path / "unet.safetensors")
    assert torch.equal(logits(other.eval()), logits(network().eval()))


def test_a_start_with_other_classes_keeps_its_own_head(tmp_path: Path):
    save_file(network().state_dict(), tmp_path / "unet.safetensors")
    other = build_unet(network_params(), 1 + len(CLASSES))
    own = {name: value.clone() for name, value in other.state_dict().items()}
    start_from(other, tmp_path / "unet.safetensors")
    given, now = network().state_dict(), other.state_dict()
    heads = {name for name in own if name.startswith("segmentation_head")}
    assert all(torch.equal(now[name], own[name]) for name in heads)
    assert all(torch.equal(now[name], given[name]) for name in own.keys() - heads)


def test_a_start_of_another_network_names_a_tensor(tmp_path: Path):
    save_file(network().state_dict(), tmp_path / "unet.safetensors")
    other = build_unet(network_params(encoder="tu-resnet10t"), len(CLASSES))
    with pytest.raises(TrainingError, match=r"another network: it differs in \d+ tensors, such as"):
        start_from(other, tmp_path / "unet.safetensors")


def test_a_start_that_is_no_safetensors_says_so(tmp_path: Path):
    (tmp_path / "unet.safetensors").write_bytes(b"no")
    with pytest.raises(TrainingError, match=r"train\.start_from: .*cannot be read"):
        start_from(network(), tmp_path / "unet.safetensors")
