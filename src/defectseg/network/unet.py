"""The network: build an SMP Unet from params, save it as safetensors + JSON, load it back.

Ronneberger, Fischer and Brox, "U-Net", 2015; encoder and decoder are segmentation_models_pytorch's.
"""

import difflib
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import requests
import segmentation_models_pytorch as smp
import timm
import torch
from huggingface_hub import constants
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file

from defectseg.errors import ModelFileError, TrainingError
from defectseg.files import remove_leftovers, write_atomically
from defectseg.network.tensors import write_tensors
from defectseg.params import Section
from defectseg.pixels import TEXTURE_PLANES

STAGES = 5  # the encoder halves the picture five times: hence the multiple of 32
HUB_PATIENCE = 3  # seconds
HEAD = {"segmentation_head.0.weight", "segmentation_head.0.bias"}  # one plane a class


def fits_the_encoder(side: int) -> int:
    """Raises: ValueError: The side of an input is no multiple of what the encoder shrinks it by."""
    step = 2**STAGES
    if side % step:
        near = max(step, round(side / step) * step)
        raise ValueError(
            f"the encoder halves it {STAGES} times: give a multiple of {step}, such as {near}"
        )
    return side


Side = Annotated[int, Field(ge=32, le=4096), AfterValidator(fits_the_encoder)]  # pixels


class NetworkParams(Section):
    """params.yaml: train.network."""

    encoder: str
    encoder_weights: str | None
    encoder_options: dict[str, int | float | str | tuple[int, ...]] = Field(default={})
    decoder_channels: tuple[int, ...] = Field(min_length=STAGES, max_length=STAGES)
    in_channels: Literal[1, 3]


class ModelInfo(BaseModel):
    """models/unet.json: everything that the weights do not say of themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: NetworkParams
    classes: tuple[str, ...]  # the K defect classes; probability plane 0 is the background
    image_size: int  # pixels: S of the network's S × S input
    best_epoch: int  # counted from 0: the epoch whose weights these are
    start_digest: str | None = None  # sha256 of the weights that training went on from
    beside_digest: str | None = None  # of the other tiles that it learnt from (data.beside)
    data_digest: str  # of the tiles that it was trained on (TileSet.digest)
    code_digest: str  # of the modules that trained it (provenance.code_digest)
    package_version: str


def build_unet(params: NetworkParams, classes: int) -> torch.nn.Module:
    """Build the Unet for K defect classes: (N, C + 1, S, S) → logits (N, 1 + K, S, S).

    Raises:
        TrainingError: The encoder does not exist, or its weights cannot be had.
    """
    refuse_unknown_encoder(params.encoder, bool(params.encoder_options))
    path = weights_path(params.encoder_weights)
    hub: str | bool | None = None if path else params.encoder_weights
    if hub and params.encoder.startswith("tu-"):
        hub = True  # timm has one set of weights for each name and tag
    try:
        with hub_or_cache(ask=bool(hub)):
            network = smp.Unet(
                params.encoder,
                encoder_weights=hub,
                decoder_channels=params.decoder_channels,
                in_channels=params.in_channels + TEXTURE_PLANES,
                classes=1 + classes,
                **params.encoder_options,
            )
    except TypeError as error:
        raise TrainingError(
            f"params.yaml: train.network.encoder_options: {params.encoder!r} does not take "
            f"{params.encoder_options}: {error}"
        ) from error
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise TrainingError(
            f"the encoder {params.encoder!r} with weights {params.encoder_weights!r} cannot be "
            f"built: {error}. Pretrained weights come from the hub {constants.ENDPOINT} at run "
            "time: where it is out of reach, give train.network.encoder_weights the path of a "
            ".safetensors file, or null"
        ) from error
    if path:
        load_encoder(network, path)
    return network  # type: ignore[no-any-return]


@contextmanager
def hub_or_cache(ask: bool) -> Iterator[None]:
    """Inside, a hub that does not answer is not asked again: its client looks into its cache only.

    Left alone, the client asks for up to a minute before it gives up.
    """
    was_offline = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = was_offline or (ask and not answers(constants.ENDPOINT))
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = was_offline


def answers(url: str) -> bool:
    """Whether a server gives any answer within `HUB_PATIENCE`."""
    try:
        requests.head(url, timeout=HUB_PATIENCE)
    except requests.RequestException:
        return False
    return True


def weights_path(encoder_weights: str | None) -> Path | None:
    """The file that `encoder_weights` names; None where it is null or the name of a hub's weights.

    Raises:
        TrainingError: It looks like a path, but no file is there.
    """
    path = Path(encoder_weights or "")
    if path.is_file():
        return path
    if path.suffix == ".safetensors" or len(path.parts) > 1:
        raise TrainingError(f"train.network.encoder_weights: {path}: no such file")
    return None


def refuse_unknown_encoder(name: str, has_options: bool) -> None:
    """Raises: TrainingError: No such encoder, or one without options; names the nearest ones."""
    known = set(smp.encoders.get_encoder_names())
    universal = {f"tu-{model}" for model in timm.list_models()}
    plain = name.partition(".")[0] if name.startswith("tu-") else name  # without timm's weight tag
    if has_options and not name.startswith("tu-"):
        raise TrainingError(
            f"params.yaml: train.network.encoder_options are for timm's encoders, tu-…; "
            f"{name!r} takes none"
        )
    if plain in known | universal:
        return
    near = difflib.get_close_matches(name, sorted(known | universal), n=5, cutoff=0.5)
    raise TrainingError(
        f"params.yaml: train.network.encoder: there is no encoder {name!r}; "
        f"the nearest names are: {', '.join(near) or 'none'}"
    )


def load_encoder(network: torch.nn.Module, path: Path) -> None:
    """Load weights into the encoder: a file of this network, of its encoder, or timm's own.

    A first layer for RGB becomes one for the planes that come in: see `fit_channels`.

    Raises:
        TrainingError: The file is no safetensors or fits another encoder.
    """
    try:
        state = load_file(path)
        encoder = network.get_submodule("encoder")
        own = encoder.state_dict()
        found = {}
        for key, value in state.items():
            bare = key.removeprefix("encoder.")
            name = bare if bare in own else f"model.{bare}"  # `model`: a tu- encoder of timm
            if name in own:
                found[name] = fit_channels(value, own[name].shape)
        encoder.load_state_dict(found)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise TrainingError(
            f"train.network.encoder_weights: {path} does not fit this encoder: {error}"
        ) from error


def fit_channels(weight: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """The first layer (F, 3, k, k) of an encoder for RGB, for the planes of `shape` (F, C, k, k).

    A grey picture is one whose three colours are equal: their weights are summed. The texture, the
    last plane, is not looked at yet, so that the encoder says what it said before. Any other weight
    stays as it is.
    """
    colours = shape[1] - TEXTURE_PLANES if len(shape) == 4 else 0
    if weight.shape == shape or weight.ndim != 4 or weight.shape[1] != 3 or colours not in {1, 3}:
        return weight
    seen = weight.sum(dim=1, keepdim=True) if colours == 1 else weight
    return torch.cat([seen, torch.zeros_like(seen[:, :TEXTURE_PLANES])], dim=1)


def start_from(network: torch.nn.Module, path: Path) -> None:
    """Load the weights of an earlier training; a head for other classes stays as it was drawn.

    Raises:
        TrainingError: The file is missing or damaged, or is of another network.
    """
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"train.start_from: {path} cannot be read: {error}") from error
    own = network.state_dict()
    odd = {name for name in own if name not in state or state[name].shape != own[name].shape}
    strange = sorted((odd | (state.keys() - own.keys())) - HEAD)
    if strange:
        raise TrainingError(
            f"train.start_from: {path} is of another network: it differs in {len(strange)} "
            f"tensors, such as {strange[0]}; train.network must be as it was there"
        )
    network.load_state_dict({name: state[name] for name in own if name not in odd}, strict=False)


def save_unet(network: torch.nn.Module, info: ModelInfo, weights: Path) -> None:
    """Write the weights and, beside them, the JSON of the same stem."""
    beside = weights.with_suffix(".json")
    for path in (weights, beside):
        remove_leftovers(path)
    write_tensors(weights, network.state_dict())
    with write_atomically(beside) as file:
        file.write(info.model_dump_json(indent=2) + "\n")


def load_unet(weights: Path) -> tuple[torch.nn.Module, ModelInfo]:
    """Read back what `save_unet` wrote, ready to predict.

    Raises:
        ModelFileError: A file is missing, damaged, or they do not belong together.
    """
    try:
        info = ModelInfo.model_validate_json(weights.with_suffix(".json").read_bytes())
        network = build_unet(
            info.network.model_copy(update={"encoder_weights": None}), len(info.classes)
        )
        network.load_state_dict(load_file(weights))
    except (OSError, ValidationError, SafetensorError, RuntimeError, TrainingError) as error:
        raise ModelFileError(
            f"{weights} and its JSON are no model of this version: {error}; run train first"
        ) from error
    return network.eval(), info


def file_digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
