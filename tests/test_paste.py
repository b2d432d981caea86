"""paste: defects are copied onto clean pictures, with their masks, mirrored and relit."""

import pytest
import torch

from defectseg.network.paste import blend, paste

SIDE = 32
PIT = (slice(4, 8), slice(20, 26))  # rows and columns of a defect


def batch(*brightness: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Flat pictures; the first has a black defect of class 2 with a strong texture."""
    images = torch.tensor(brightness)[:, None, None, None].expand(-1, 2, SIDE, SIDE).clone()
    images[:, 1] = 0.1
    masks = torch.zeros(len(brightness), SIDE, SIDE, dtype=torch.int64)
    images[(0, 0, *PIT)], images[(0, 1, *PIT)] = 0.0, 0.9
    masks[(0, *PIT)] = 2
    return images, masks


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_clean_picture_gets_the_defect_and_its_mask():
    images, masks = batch(0.8, 0.4)
    pasted, marked = paste(images, masks, 1.0, 0.5, drawn(0))
    assert marked[1].sum() == masks[0].sum()
    inside = marked[1] == 2
    assert pasted[1, 0][inside].max() < 0.1
    assert pasted[1, 1][inside].min() > 0.8
    far = torch.nn.functional.max_pool2d(inside.float()[None], 9, 1, 4)[0] == 0
    assert torch.equal(pasted[1][:, far], images[1][:, far])
    assert torch.equal(pasted[0], images[0]) and torch.equal(marked[0], masks[0])


def test_a_copy_lies_mirrored_in_all_four_ways():
    images, masks = batch(0.8, 0.4)
    places = set()
    for seed in range(30):
        _, marked = paste(images, masks, 1.0, 0.5, drawn(seed))
        rows, columns = torch.nonzero(marked[1]).min(dim=0).values.tolist()
        places.add((rows, columns))
    assert places == {(4, 20), (24, 20), (4, 6), (24, 6)}


def test_about_the_asked_share_of_clean_pictures_is_changed():
    images, masks = batch(0.8, *[0.4] * 400)
    _, marked = paste(images, masks, 0.25, 0.5, drawn(1))
    share = (marked[1:].flatten(1).sum(dim=1) > 0).float().mean().item()
    assert share == pytest.approx(0.25, abs=0.06)


def test_a_copy_is_relit_to_its_new_place_within_limits():
    source, where = torch.full((2, SIDE, SIDE), 0.6), torch.zeros(SIDE, SIDE, dtype=torch.bool)
    where[PIT], source[(0, *PIT)] = True, 0.3
    for light, expected in ((0.6, 0.3), (0.9, 0.45), (0.4, 0.2), (0.1, 0.15)):
        target = torch.full((2, SIDE, SIDE), light)
        assert blend(target, source, where)[(0, *PIT)].mean().item() == pytest.approx(
            expected, abs=0.02
        )


def test_large_defects_and_batches_without_any_are_left_alone():
    images, masks = batch(0.8, 0.4)
    for given in (masks, torch.zeros_like(masks)):
        pasted, marked = paste(images, given, 1.0, 0.02, drawn(0))
        assert torch.equal(pasted, images)
        assert torch.equal(marked, given)


def test_the_batch_itself_is_not_changed():
    images, masks = batch(0.8, 0.4)
    before = images.clone(), masks.clone()
    paste(images, masks, 1.0, 0.5, drawn(0))
    assert torch.equal(images, before[0]) and torch.equal(masks, before[1])
