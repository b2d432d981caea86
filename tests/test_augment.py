"""augment: what happens to a picture happens to its mask."""

from typing import Any

import torch
from torch import Tensor

from conftest import mask
from defectseg.network.augment import AugmentParams, augment, random_geometry

SIDE = 56  # pixels
DRAWN = torch.from_numpy(mask("....... .###... .#..... .#.##.. ....##. ..#.... .......", 8)).long()
OFF = {
    "flip_horizontal": False,
    "flip_vertical": False,
    "rotation_degrees": 0.0,
    "smallest_crop": 1.0,
    "paste": 0.0,
    "paste_largest": 0.1,
    "gamma": 0.0,
    "gradient": 0.0,
    "noise": 0.0,
}
FLIPS = {"flip_horizontal": True, "flip_vertical": True}
GEOMETRY = FLIPS | {"rotation_degrees": 45.0, "smallest_crop": 0.5}
EXPOSURE = {"gamma": 1.0, "gradient": 1.0, "noise": 0.5}


def augmented(masks: Tensor, seed: int = 0, **changes: Any) -> tuple[Tensor, Tensor]:
    """Augment images of two planes, white where their masks show a defect, and the masks."""
    params = AugmentParams.model_validate(OFF | changes)
    images = (masks > 0).float()[:, None].expand(-1, 2, -1, -1)
    return augment(images, masks, params, torch.Generator().manual_seed(seed))


def copies(count: int) -> Tensor:
    """The drawn mask, again and again: (count, SIDE, SIDE)."""
    return DRAWN.expand(count, SIDE, SIDE)


def test_masks_follow_every_turn_crop_and_flip_of_their_pictures():
    images, masks = augmented(copies(32), **GEOMETRY)
    # The nearest of the four pixels that bilinear sampling mixes weighs at least a quarter.
    for plane in images.unbind(dim=1):
        assert masks[plane > 0.76].min() == 1
        assert masks[plane < 0.24].max() == 0
    changed = (masks != DRAWN).flatten(1).float().mean(dim=1)
    assert changed.min() > 0.01  # each picture was moved


def test_each_picture_is_moved_in_its_own_way():
    images, _ = augmented(copies(8), **GEOMETRY)
    assert len({image.numpy().tobytes() for image in images}) == 8


def test_a_horizontal_flip_mirrors_the_columns_exactly():
    _, masks = augmented(copies(32), flip_horizontal=True)
    assert set(map(as_bytes, masks)) == {as_bytes(DRAWN), as_bytes(DRAWN.flip(1))}


def test_a_vertical_flip_mirrors_the_rows_exactly():
    _, masks = augmented(copies(32), flip_vertical=True)
    assert set(map(as_bytes, masks)) == {as_bytes(DRAWN), as_bytes(DRAWN.flip(0))}


def test_flips_move_picture_and_mask_to_the_same_pixels():
    images, masks = augmented(copies(32), **FLIPS)
    for plane in images.unbind(dim=1):
        torch.testing.assert_close(plane, masks.float(), atol=2e-4, rtol=0)


def as_bytes(plane: Tensor) -> bytes:
    return plane.contiguous().numpy().tobytes()


def test_masks_never_get_a_class_that_lies_between_two_others():
    _, masks = augmented(copies(32) * 2, **GEOMETRY)
    assert masks.unique().tolist() == [0, 2]
    assert masks.dtype == torch.int64


def test_a_crop_stays_within_the_picture():
    params = AugmentParams.model_validate(OFF | FLIPS | {"smallest_crop": 0.3})
    maps = random_geometry(500, params, torch.Generator().manual_seed(0))
    reach = maps[:, :, :2].abs().sum(dim=2) + maps[:, :, 2].abs()  # of a corner, per axis
    assert reach.max() <= 1 + 1e-6
    sides = maps[:, :, :2].abs().sum(dim=2)
    assert 0.3 <= sides.min() < 0.35
    assert sides.max() > 0.95


def test_a_turn_keeps_right_angles_and_its_limit():
    params = AugmentParams.model_validate(OFF | {"rotation_degrees": 30.0})
    turns = random_geometry(500, params, torch.Generator().manual_seed(0))[:, :, :2]
    torch.testing.assert_close(turns @ turns.mT, torch.eye(2).expand(500, 2, 2))
    degrees = torch.rad2deg(torch.acos(turns[:, 0, 0]))
    assert 29 < degrees.max() <= 30.001


def test_images_stay_in_their_range_under_the_strongest_exposure():
    images, masks = augmented(copies(32), **EXPOSURE)
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.isfinite().all()
    assert torch.equal(masks, copies(32))  # light moves nothing


def test_light_changes_the_picture_but_not_its_texture():
    plain, _ = augmented(copies(8))
    lit, _ = augmented(copies(8), **EXPOSURE)
    assert torch.equal(lit[:, 1], plain[:, 1])
    assert not torch.equal(lit[:, 0], plain[:, 0])


def test_exposure_changes_the_picture():
    grey = torch.full((8, 2, SIDE, SIDE), 0.5)
    params = AugmentParams.model_validate(OFF | {"gamma": 0.5})
    images, _ = augment(grey, copies(8), params, torch.Generator().manual_seed(0))
    means = images[:, 0].mean(dim=(1, 2))
    assert means.min() < 0.45
    assert means.max() > 0.55
    assert images[:, 0].std(dim=(1, 2)).max() < 1e-6  # one gamma for the whole picture


def test_the_same_generator_state_gives_the_same_batch():
    first, second = (augmented(copies(4), seed=7, **GEOMETRY, **EXPOSURE) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    other, _ = augmented(copies(4), seed=8, **GEOMETRY, **EXPOSURE)
    assert not torch.equal(first[0], other)


def test_all_off_changes_nothing():
    images, masks = augmented(copies(4))
    assert torch.equal(masks, copies(4))
    torch.testing.assert_close(images[:, 0], copies(4).float(), atol=2e-4, rtol=0)
    torch.testing.assert_close(images[:, 1], copies(4).float(), atol=2e-4, rtol=0)
