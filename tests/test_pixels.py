"""pixels: what goes into the network and what comes out of it, whatever the picture's size."""

import pytest
import torch
from torch import Tensor

from conftest import mask
from defectseg.pixels import CONTRAST_FLOOR, to_images, to_input, to_planes, to_probability

SIDE = 32  # pixels: S


def picture(drawing: str, scale: int = 16, dark: int = 0, bright: int = 255) -> Tensor:
    """A batch of one grey picture (1, H, W, 1): `#` is bright."""
    drawn = torch.from_numpy(mask(drawing, scale))
    return (dark + (bright - dark) * drawn.int()).to(torch.uint8)[None, :, :, None]


BOARD = "#.#. .#.# #.#. .#.#"  # half bright, half dark


@pytest.mark.parametrize("size", [(1, 1), (7, 301), (32, 32), (403, 90)])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_size_of_picture_becomes_one_square(size: tuple[int, int], channels: int):
    draw = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (2, *size, channels), dtype=torch.uint8, generator=draw)
    images = to_input(pictures, SIDE)
    assert (images.shape, images.dtype) == ((2, channels + 1, SIDE, SIDE), torch.float32)
    assert images.isfinite().all()


def test_the_whole_picture_fills_the_square():
    images = to_planes(picture("##.. ##.. ##.. ##..", scale=20), SIDE)  # 80 × 80
    assert images[0, 0, :, :14].min() == pytest.approx(1)
    assert images[0, 0, :, 18:].max() == pytest.approx(0)


def test_white_is_1_and_black_is_0():
    assert to_planes(picture("# #"), SIDE)[:, 0].unique().tolist() == [1]
    assert to_planes(picture(". ."), SIDE)[:, 0].unique().tolist() == [0]


def test_bytes_become_shares_of_full_scale_with_the_channels_first():
    stored = torch.tensor([[[[0, 255], [51, 204], [102, 153]]]], dtype=torch.uint8)  # (1, 1, 3, 2)
    images = to_images(stored)
    assert images.dtype == torch.float32
    expected = torch.tensor([[[[0.0, 0.2, 0.4]], [[1.0, 0.8, 0.6]]]])  # (1, 2, 1, 3)
    torch.testing.assert_close(images, expected)


def test_stored_planes_come_back_as_they_were_stored():
    planes = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1).expand(2, 16, 16, 3)
    back = (to_images(planes) * 255.0).round().to(torch.uint8).permute(0, 2, 3, 1)
    assert torch.equal(back, planes)


def test_channels_keep_their_order():
    pictures = torch.tensor([255, 51, 0], dtype=torch.uint8).expand(1, 4, 4, 3)
    values = to_planes(pictures, SIDE)[0, :, 0, 0]
    torch.testing.assert_close(values, torch.tensor([1.0, 0.2, 0.0, 0.0]))  # last: no texture


def test_the_texture_of_a_spot_is_how_much_it_differs_from_the_7_by_7_pixels_around_it():
    pictures = torch.full((1, SIDE, SIDE, 1), 202, dtype=torch.uint8)
    pictures[0, 16, 16] = 153  # 49 below: the mean of the 49 pixels around falls by 1
    texture = to_planes(pictures, SIDE)[0, 1]
    assert texture[16, 16] == pytest.approx(4 * (201 - 153) / (201 + 25.5), abs=1e-4)
    assert texture[13, 19] == pytest.approx(4 * (202 - 201) / (201 + 25.5), abs=1e-4)
    assert torch.stack([texture[12, 16], texture[0, 0]]).max() < 1e-5


def test_the_strongest_texture_is_full_scale():
    pictures = torch.zeros(1, SIDE, SIDE, 1, dtype=torch.uint8)
    pictures[0, 16, 16] = 255  # 4 × (255 - 5.2) / (5.2 + 25.5) would be 32
    assert to_planes(pictures, SIDE)[0, 1, 16, 16] == pytest.approx(1)


@pytest.mark.parametrize(("dark", "bright", "texture"), [(100, 140, 0.6286), (50, 70, 0.5348)])
def test_marks_too_fine_for_the_network_leave_their_texture(dark: int, bright: int, texture: float):
    # columns in turns; around a bright one of 100 and 140 is (3 × 140 + 4 × 100) / 7 = 117.1,
    # so its texture is 4 × 22.9 / (117.1 + 25.5) = 0.641, and 0.616 at a dark one
    planes = to_planes(picture("#." * 160, 1, dark, bright).expand(1, 320, 320, 1), SIDE)
    inside = planes[0, :, 2:-2, 2:-2]
    torch.testing.assert_close(inside[0], torch.full_like(inside[0], (dark + bright) / 510))
    torch.testing.assert_close(inside[1], torch.full_like(inside[1], texture), rtol=0, atol=2e-3)


def test_the_texture_of_colours_is_that_of_their_mean():
    colours = torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8)
    colours[..., ::2, 0], colours[..., 1::2, 2] = 90, 90  # red and blue in turns: no grey edge
    assert to_planes(colours, SIDE)[0, 3].max() < 1e-5


def test_the_mean_of_each_plane_is_0():
    images = to_input(torch.cat([picture("#... .... .... ...."), picture(BOARD)]), SIDE)
    assert images.mean(dim=(2, 3)).abs().max() < 1e-6


def test_the_deviation_is_1_but_for_the_floor():
    # half of the pixels 0 and half 1: deviation 0.5, hence ±0.5 / (0.5 + 0.02)
    sharp = to_input(picture(BOARD, scale=8), SIDE)[:, 0]  # 32 × 32: nothing is resized
    torch.testing.assert_close(sharp.abs(), torch.full_like(sharp, 0.5 / (0.5 + CONTRAST_FLOOR)))


def test_an_offset_does_not_matter_to_the_picture():
    dark, light = picture(BOARD, dark=0, bright=90), picture(BOARD, dark=150, bright=240)
    inputs = [to_input(pictures, SIDE)[:, 0] for pictures in (dark, light)]
    torch.testing.assert_close(*inputs, rtol=0, atol=1e-5)


def test_a_gain_matters_as_little_as_the_floor_lets_it():
    # deviations 0.2 and 0.4: 0.2 / 0.22 = 0.909 and 0.4 / 0.42 = 0.952
    faint = to_input(picture(BOARD, 8, dark=0, bright=102), SIDE)[:, 0]
    strong = to_input(picture(BOARD, 8, dark=0, bright=204), SIDE)[:, 0]
    torch.testing.assert_close(faint * (0.4 / 0.42) / (0.2 / 0.22), strong)
    assert (strong - faint).abs().max() < 0.05


def test_each_picture_is_judged_by_itself():
    dark, light = picture(BOARD, dark=0, bright=90), picture(BOARD, dark=100, bright=250)
    together = to_input(torch.cat([dark, light]), SIDE)
    torch.testing.assert_close(together[:1], to_input(dark, SIDE))
    torch.testing.assert_close(together[1:], to_input(light, SIDE))


@pytest.mark.parametrize("grey", [0, 77, 255])
def test_a_flat_picture_stays_flat(grey: int):
    flat = torch.full((1, 50, 70, 1), grey, dtype=torch.uint8)
    assert to_input(flat, SIDE).abs().max() < 1e-4


def test_the_noise_of_a_flat_picture_stays_small():
    draw = torch.Generator().manual_seed(0)
    noisy = torch.randint(127, 129, (1, 200, 200, 1), dtype=torch.uint8, generator=draw)
    assert to_input(noisy, SIDE).abs().max() < 0.1  # and not a deviation of 1


@pytest.mark.parametrize("column", range(0, 320, 37))
def test_a_line_of_one_pixel_survives_a_tenfold_shrinking(column: int):
    pictures = torch.zeros(1, 320, 320, 1, dtype=torch.uint8)
    pictures[:, :, column] = 255
    images = to_planes(pictures, SIDE)[:, :1]
    # its brightness, one column in ten, is spread over a few columns; an edge loses some
    assert images.sum(dim=3).min() > (0.09 if 10 < column < 310 else 0.05)


@pytest.mark.parametrize("size", [(1, 1), (5, 90), (32, 32), (131, 64)])
def test_probabilities_sum_to_1_at_the_size_of_the_picture(size: tuple[int, int]):
    logits = 5 * torch.randn(2, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    probability = to_probability(logits, *size)
    assert probability.shape == (2, 4, *size)
    assert probability.min() >= 0
    torch.testing.assert_close(probability.sum(dim=1), torch.ones(2, *size))


def test_logits_become_the_probabilities_of_softmax():
    logits = torch.tensor([0.0, 3.0]).log_softmax(0)[None, :, None, None].expand(1, 2, 8, 8) + 7
    probability = to_probability(logits, 8, 8)[0, :, 0, 0]
    e = torch.tensor(3.0).exp()
    torch.testing.assert_close(probability, torch.stack([1 / (1 + e), e / (1 + e)]))


def test_logits_of_half_the_bits_are_softened_with_all_of_them():
    logits = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    probability = to_probability(logits, 8, 8)
    assert probability.dtype == torch.float32
    torch.testing.assert_close(probability, logits.float().softmax(dim=1))
