"""cut_patches: a piece of each picture and the same piece of its mask."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from conftest import mask
from defectseg.network.callbacks import Prepare
from defectseg.network.patch import PatchParams, cut_patches, defect_pixels
from defectseg.network.sampling import RatioSampler
from tiny import train_params

SIDE = 96  # pixels
SMALL = torch.from_numpy(mask("#..... ...... ...... ...... ...... .....#", SIDE // 6)).long()


def cut(masks: Tensor, on_defect: float, size: int | None = 32) -> tuple[Tensor, Tensor]:
    """Patches of images whose planes tell their own row and column, and of the masks."""
    lines = torch.arange(SIDE, dtype=torch.float32)
    planes = torch.stack(torch.meshgrid(lines, lines, indexing="ij"))
    images = planes.expand(len(masks), -1, -1, -1)
    params = PatchParams(size=size, on_defect=on_defect)
    return cut_patches(images, masks, params, torch.Generator().manual_seed(0))


def copies(drawn: Tensor, count: int = 400) -> Tensor:
    return drawn.expand(count, SIDE, SIDE)


def test_a_patch_and_its_mask_are_the_same_piece():
    images, masks = cut(copies(SMALL), on_defect=0.5)
    assert images.shape == (400, 2, 32, 32)
    assert masks.shape == (400, 32, 32)
    rows, columns = images.long().unbind(dim=1)
    assert torch.equal(masks, SMALL[rows, columns])
    corners = images[:, :, :1, :1]
    reach = torch.arange(32.0)
    assert torch.equal(rows - corners[:, 0], reach[:, None].expand(400, 32, 32))
    assert torch.equal(columns - corners[:, 1], reach.expand(400, 32, 32))


def test_every_patch_shows_the_defect_where_that_is_asked_for_and_few_where_it_is_not():
    shows = [
        float(cut(copies(SMALL), on_defect)[1].flatten(1).any(1).float().mean())
        for on_defect in (1.0, 0.5, 0.0)
    ]
    assert shows[0] == 1.0
    assert shows[2] < 0.45
    assert abs(shows[1] - (shows[0] + shows[2]) / 2) < 0.08


def test_patches_lie_everywhere():
    corners = cut(copies(torch.zeros(SIDE, SIDE).long(), 4000), on_defect=1.0)[0][:, :, 0, 0]
    assert corners.min() == 0
    assert corners.max() == SIDE - 32
    assert len(set(map(tuple, corners.tolist()))) > 2000


def test_any_pixel_of_a_defect_may_be_meant():
    two = torch.zeros(1, 3, 3).long()
    two[0, 0, 2] = two[0, 2, 1] = 5
    pixels, has = defect_pixels(two.expand(4, 3, 3), torch.tensor([0.0, 0.49, 0.5, 0.999999]))
    assert pixels.tolist() == [[0, 2], [0, 2], [2, 1], [2, 1]]
    assert has.all()
    assert not defect_pixels(torch.zeros(1, 3, 3).long(), torch.tensor([0.3]))[1].any()


def test_without_a_size_the_whole_picture_is_seen():
    images, masks = cut(copies(SMALL, 2), on_defect=1.0, size=None)
    assert images.shape == (2, 2, SIDE, SIDE)
    assert torch.equal(masks, copies(SMALL, 2))


def test_a_patch_as_large_as_the_picture_is_the_picture():
    images, masks = cut(copies(SMALL, 2), on_defect=1.0, size=SIDE)
    assert torch.equal(masks, copies(SMALL, 2))
    assert torch.equal(images[0, 0, :, 0], torch.arange(float(SIDE)))


def test_two_processes_see_the_patches_of_one(monkeypatch: pytest.MonkeyPatch):
    alone = prepared()
    shares = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    for number in ("0", "1"):
        monkeypatch.setenv("RANK", number)
        shares.append(prepared())
    for whole, both in zip(alone, zip(*shares, strict=True), strict=True):
        assert torch.equal(whole, torch.cat(both))


def prepared() -> tuple[Tensor, Tensor]:
    """What a step of this process sees of a batch of four pictures of noise."""
    noise = torch.Generator().manual_seed(0)
    pictures = torch.randint(256, (4, SIDE, SIDE, 2), dtype=torch.uint8, generator=noise)
    patch = PatchParams(size=32, on_defect=0.5)
    sampler = RatioSampler(torch.full((4,), 0.25).numpy(), 4, 4, seed=0)
    prepare = Prepare(train_params().augment, patch, sampler, seed=0)
    prepare.learn = SimpleNamespace(xb=(pictures,), yb=(copies(SMALL, 4),), training=True, epoch=0)
    prepare.before_train()
    prepare.before_batch()
    return prepare.learn.xb[0], prepare.learn.yb[0]
