"""Tiles in, all their pictures and masks at the network's size out: decoded once, not every epoch.

They lie in an unnamed temporary file that is mapped into memory: the kernel keeps what is used, so
that 100× the pictures do not need 100× the memory. An accelerator takes them all where it has room.
"""

import tempfile
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn.functional import interpolate
from torch.utils.data import Dataset
from tqdm import tqdm

from defectseg.data.tile import TileSet
from defectseg.network.processes import rank
from defectseg.pixels import TEXTURE_PLANES, to_planes


@dataclass(frozen=True)
class Decoded(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """N tiles at network size S; a dataset that fetches a whole batch at once."""

    tiles: TileSet
    pictures: torch.Tensor  # (N, S, S, C + 1) uint8: the planes of `pixels`
    masks: torch.Tensor  # (N, S, S) uint8 in 0..K

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitems__(self, indices: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch: planes (B, S, S, C + 1) uint8 and masks (B, S, S) int64."""
        return self.pictures[indices], self.masks[indices].long()

    def to(self, device: torch.device) -> "Decoded":
        """The same in the memory of an accelerator, unless it would fill more than half of it.

        A batch is then a slice there: nothing is sent for it.
        """
        if device.type != "cuda" or self.nbytes > torch.cuda.mem_get_info(device)[0] / 2:
            return self
        return Decoded(self.tiles, self.pictures.to(device), self.masks.to(device))

    @property
    def nbytes(self) -> int:
        """Of all pictures and masks."""
        return self.pictures.nbytes + self.masks.nbytes

    def some_defects(self, count: int) -> "Decoded":
        """At most `count` tiles that show a defect, spread over the set."""
        where = np.array(
            [i for i, tile in enumerate(self.tiles.tiles) if tile.is_defect], dtype=int
        )
        spread = np.linspace(0, len(where) - 1, min(count, len(where))).astype(int)
        picked = where[spread].tolist()
        tiles = replace(self.tiles, tiles=tuple(self.tiles.tiles[i] for i in picked))
        return Decoded(tiles, self.pictures[picked], self.masks[picked])


def decode_tiles(tiles: TileSet, image_size: int, channels: int, what: str) -> Decoded:
    """Decode and resize every tile; masks by nearest neighbour. `what` names the progress bar."""
    count = len(tiles.tiles)
    pictures = _mapped((count, image_size, image_size, channels + TEXTURE_PLANES))
    masks = _mapped((count, image_size, image_size))
    bar = tqdm(tiles.tiles, desc=f"decode {what}", unit="picture", disable=rank() > 0)
    for index, tile in enumerate(bar):
        picture = torch.from_numpy(tiles.picture(tile, channels).copy())[None]
        square = to_planes(picture, image_size)[0].permute(1, 2, 0)
        pictures[index] = (square * 255.0).round().to(torch.uint8)
        mask = torch.from_numpy(tiles.mask(tile).copy())[None, None].float()
        small = interpolate(mask, size=(image_size, image_size), mode="nearest-exact")
        masks[index] = small[0, 0].to(torch.uint8)
    return Decoded(tiles, pictures, masks)


def _mapped(shape: tuple[int, ...]) -> torch.Tensor:
    with tempfile.TemporaryFile(prefix="defectseg") as file:
        file.truncate(max(1, int(np.prod(shape))))
        return torch.from_numpy(np.memmap(file, dtype=np.uint8, mode="r+", shape=shape))
