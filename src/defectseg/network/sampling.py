"""Tiles in, the order in which training shows them out: defect and clean in a chosen ratio."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from defectseg.data.tile import Tile
from defectseg.errors import TrainingError


class RatioSampler(Sampler[list[int]]):
    """Draws batches of indices, anew each epoch and the same for the same seed and epoch."""

    def __init__(
        self, weights: npt.NDArray[np.float64], pictures: int, batch_size: int, seed: int
    ) -> None:
        """Args: weights: (N,), sum 1. pictures: drawn an epoch, rounded down to whole batches."""
        self._weights = weights
        self._batches = max(1, pictures // batch_size)
        self._batch_size = batch_size
        self._seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[list[int]]:
        draw = np.random.default_rng([self._seed, self.epoch])
        shape = (self._batches, self._batch_size)
        yield from draw.choice(len(self._weights), size=shape, p=self._weights).tolist()


def draw_weights(tiles: Sequence[Tile], defect_fraction: float) -> npt.NDArray[np.float64]:
    """How likely each tile is drawn: (N,), sum 1.

    A share of `defect_fraction` goes to the pictures with a defect: equally to each class, in it
    equally to each surface, in it equally to each picture. The rest goes to the clean ones.

    Raises:
        TrainingError: There is no picture with a defect to learn from.
    """
    defects = {tile.defect_class for tile in tiles if tile.is_defect}
    if not defects:
        raise TrainingError(
            f"none of the {len(tiles)} train pictures shows a defect; there is nothing to learn. "
            "Check data_load's masks (mask_threshold) or choose another data_split.fold"
        )
    clean_share = (
        1.0 - defect_fraction if len(defects) < len({t.defect_class for t in tiles}) else 0.0
    )
    surfaces = Counter(dict.fromkeys({(t.defect_class, t.surface) for t in tiles}, 1))
    surfaces_of_class = Counter(defect_class for defect_class, _ in surfaces)
    pictures_of_surface = Counter((tile.defect_class, tile.surface) for tile in tiles)
    weights = [
        ((1.0 - clean_share) / len(defects) if tile.is_defect else clean_share)
        / surfaces_of_class[tile.defect_class]
        / pictures_of_surface[tile.defect_class, tile.surface]
        for tile in tiles
    ]
    return np.asarray(weights / np.sum(weights), dtype=np.float64)
