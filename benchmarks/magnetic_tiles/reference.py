"""The reference repository's learner: what its split and its scoring are worth.

iterative/magnetic-tiles-defect on GitHub trains fastai's `unet_learner(resnet34)` on the pictures
with a defect, of two classes, on squares of 224 px in batches of 16, by `fine_tune(6, 0.02)`. It
tests on a random fifth, on the centre square of each picture. Here its ResNet-34 has no ImageNet
weights, and masks are those above 127; the rest is as there. A body that has such weights may take
its place.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import timm
import torch
from fastai.callback.schedule import Learner
from fastai.data.block import DataBlock
from fastai.vision.augment import Resize
from fastai.vision.data import ImageBlock, MaskBlock
from fastai.vision.learner import unet_learner
from imagenet import FOLDER, provide
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.models import resnet34
from torchvision.transforms import Normalize

from defectseg.confusion import any_defect, count_pixels
from defectseg.data.tile import Tile, TileSet, write_manifest
from defectseg.evaluation.metrics import interval, resample, to_number
from defectseg.files import replace_atomically
from defectseg.inference.engine import Output
from defectseg.inference.operating_point import OperatingPoint
from defectseg.network.callbacks import Bfloat16
from defectseg.network.tensors import write_tensors
from defectseg.pixels import to_mask

SIDE = 224  # px
DEFECT = "defect"  # the only class
TEST_SHARE = 0.2
DRAWS = 2000
Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Recipe:
    """How to train."""

    epochs: int
    learning_rate: float
    batch_size: int = 16
    frozen_first: bool = True  # fine_tune: an epoch of the decoder alone comes first
    bfloat16: bool = False  # there: float32
    body: str = "resnet34"  # without ImageNet weights; any other one has those of imagenet.py


OWN = Recipe(epochs=6, learning_rate=0.02)


def two_classes(tiles: TileSet, folder: Path) -> TileSet:
    """The same pictures; every defect is of one class. Masks are written once."""
    changed = []
    for tile in tiles.tiles:
        path = folder / tile.mask
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with replace_atomically(path) as staging:
                Image.fromarray((tiles.mask(tile) > 0).astype(np.uint8)).save(staging, "PNG")
        kind = DEFECT if tile.is_defect else tile.defect_class
        image = (tiles.folder / tile.image).resolve()
        changed.append(replace(tile, image=str(image), defect_class=kind))
    return write_manifest(folder, [DEFECT], changed)


def random_split(tiles: TileSet, seed: int) -> tuple[TileSet, TileSet]:
    """Train and test as there: a random fifth of the pictures with a defect is test."""
    ids = [tile.id for tile in tiles.tiles if tile.is_defect]
    drawn = np.random.default_rng(seed).permutation(ids).tolist()
    count = round(TEST_SHARE * len(ids))
    return tiles.only(drawn[count:]), tiles.only(drawn[:count])


def train(
    tiles: TileSet, recipe: Recipe, seed: int, device: torch.device, weights: Path
) -> nn.Module:
    """The trained network; read from `weights` where an earlier run has left it there."""
    torch.manual_seed(seed)
    learn = learner(tiles, recipe, seed, device)
    if recipe.bfloat16:
        learn.add_cb(Bfloat16())
    if not weights.exists():
        with as_plain_fastai():
            if recipe.frozen_first:
                learn.fine_tune(recipe.epochs, recipe.learning_rate)
            else:
                learn.fit_one_cycle(recipe.epochs, recipe.learning_rate)
        weights.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(weights, learn.model.state_dict())
    learn.model.load_state_dict(load_file(weights, device=str(device)))
    network: nn.Module = learn.model.eval()
    return network


@contextmanager
def as_plain_fastai() -> Iterator[None]:
    """Inside, torch may take algorithms that do not repeat themselves."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def learner(tiles: TileSet, recipe: Recipe, seed: int, device: torch.device) -> Learner:
    """Fastai's own, over the tiles; the last picture is all that it validates on."""
    block = DataBlock(
        blocks=(ImageBlock, MaskBlock(codes=["background", *tiles.classes])),
        get_items=lambda chosen: list(chosen.tiles),
        get_x=lambda tile: tiles.folder / tile.image,
        get_y=lambda tile: tiles.folder / tile.mask,
        splitter=lambda items: (list(range(len(items))), [len(items) - 1]),
        item_tfms=Resize(SIDE),
    )
    loaders = block.dataloaders(
        tiles, bs=recipe.batch_size, device=device, num_workers=0, seed=seed
    )
    if recipe.body == OWN.body:
        return unet_learner(loaders, resnet34, pretrained=False, weights=None)
    return unet_learner(loaders, partial(with_imagenet_weights, recipe.body), cut=stages_of)


def with_imagenet_weights(body: str, pretrained: bool) -> nn.Module:
    """A network of timm; fastai asks for its weights by `pretrained`."""
    network: nn.Module = timm.create_model(body, pretrained=False)
    if pretrained:
        weights = FOLDER / f"{body}.safetensors"
        provide(body, weights)
        network.load_state_dict(load_file(weights))
    return network


def stages_of(network: Any) -> nn.Sequential:
    """The layers of an EfficientNet that fastai's decoder looks into, from pictures in [0, 1] on.

    It is used to colours about their mean, and fastai sees to that for bodies of torchvision alone.
    """
    told = network.default_cfg
    stem = nn.Sequential(Normalize(told["mean"], told["std"]), network.conv_stem)
    return nn.Sequential(stem, network.bn1, *network.blocks)


class ReferenceEngine:
    """The network on whole pictures: on squares that cover each, their probabilities averaged."""

    def __init__(self, network: nn.Module, point: OperatingPoint, device: torch.device) -> None:
        self._network, self._point, self._device = network, point, device

    def at(self, point: OperatingPoint) -> "ReferenceEngine":
        """The same network with another operating point."""
        return ReferenceEngine(self._network, point, self._device)

    def run(self, pictures: Grey) -> Output:
        """See `Engine.run`."""
        images = torch.from_numpy(np.array(pictures)).to(self._device).permute(0, 3, 1, 2) / 255.0
        height, width = images.shape[2:]
        side = min(height, width)
        total = torch.zeros(len(images), len(self._point.classes) + 1, height, width)
        times = torch.zeros(height, width)
        for top in starts(height, side):
            for left in starts(width, side):
                square = (..., slice(top, top + side), slice(left, left + side))
                total[square] += self._look(images[square]).cpu()
                times[square] += 1
        probability = total / times
        mask = to_mask(probability, self._point.thresholds)
        return Output(probability.numpy(), mask.numpy())

    def _look(self, squares: Tensor) -> Tensor:
        """Squares (N, C, s, s) in [0, 1] → probabilities (N, 1 + K, s, s)."""
        resize = partial(interpolate, mode="bilinear", align_corners=False)
        with torch.inference_mode():
            seen = resize(squares, size=(SIDE, SIDE), antialias=True)
            logits = self._network(seen.expand(-1, 3, -1, -1).contiguous())
            found: Tensor = resize(logits.softmax(1), size=squares.shape[2:])
        return found


def starts(length: int, side: int) -> list[int]:
    """Where squares begin that cover a length, evenly."""
    count = -(-length // side)
    return [round(at) for at in np.linspace(0, length - side, count)]


def score_own_way(engine: ReferenceEngine, tiles: TileSet) -> dict[str, Any]:
    """As there: pictures with a defect, the centre square alone, pixels pooled."""
    shown = [tile for tile in tiles.tiles if tile.is_defect]
    counts = [count_centre(engine, tiles, tile) for tile in shown]
    return pooled(np.stack(counts).astype(float), [tile.surface for tile in shown])


def count_centre(engine: ReferenceEngine, tiles: TileSet, tile: Tile) -> npt.NDArray[np.int64]:
    """Confusion of the centre square of a picture, resized to the network's size before."""
    picture = centre(tiles.picture(tile, 1)[..., 0])
    mask = engine.run(picture[None, ..., None]).mask[0]
    return count_pixels(mask, centre(tiles.mask(tile)), len(tiles.classes))


def centre(image: Grey) -> Grey:
    """The shorter side to `SIDE`, then the centre square, as Pillow resizes by default."""
    height, width = image.shape
    scale = SIDE / min(height, width)
    size = (max(SIDE, int(width * scale)), max(SIDE, int(height * scale)))
    left, top = (size[0] - SIDE) // 2, (size[1] - SIDE) // 2
    resized = Image.fromarray(image).resize(size)
    return np.asarray(resized.crop((left, top, left + SIDE, top + SIDE)))


def pooled(confusion: npt.NDArray[np.float64], surfaces: Sequence[str]) -> dict[str, Any]:
    """Pooled Dice of confusions (n, 2, 2), its interval over surfaces, and pixel accuracy."""
    weights = np.concatenate([np.ones((1, len(surfaces))), resample(surfaces, DRAWS, 0)])
    summed = np.einsum("bn,nij->bij", weights, confusion)
    dice = any_defect(summed).dice
    right = confusion.sum(axis=0)
    return {
        "pictures": len(surfaces),
        "dice_pooled": to_number(dice[0]),
        "interval": interval(dice[1:]),
        "pixel_accuracy": to_number(np.trace(right) / right.sum()),
    }
