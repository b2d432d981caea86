"""pixels: what goes into the network and what comes out of it, whatever the picture's size."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from conftest import mask
from defectseg.pixels import (
    CONTRAST_FLOOR,
    mean_around,
    resampling,
    resize,
    to_images,
    to_input,
    to_mask,
    to_planes,
    to_probability,
)

SIDE = 32  # pixels: S
SIZES = [1, 2, 3, 7, 32, 45, 64, 100, 257, 512]  # pixels: up and down, by whole numbers and not


def picture(drawing: str, scale: int = 16, dark: int = 0, bright: int = 255) -> Tensor:
    """A batch of one grey picture (1, H, W, 1): `#` is bright."""
    drawn = torch.from_numpy(mask(drawing, scale))
    return (dark + (bright - dark) * drawn.int()).to(torch.uint8)[None, :, :, None]


def grain(*shape: int) -> Tensor:
    """Numbers in [0, 1), always the same for a shape."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def pixels(*values: tuple[float, ...]) -> Tensor:
    """A picture of one row; each pixel says background, class 1, class 2, …: (1, 1 + K, 1, W)."""
    return torch.tensor(values).T[None, :, None, :]


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


def test_a_temperature_divides_the_logits():
    # e^(4 / 2) = e^2 to 1; at temperature 1 e^4 to 1, at 0.5 e^8 to 1
    logits = torch.tensor([0.0, 4.0])[None, :, None, None].expand(1, 2, 8, 8)
    for temperature, power in ((1.0, 4), (2.0, 2), (0.5, 8)):
        defect = to_probability(logits, 8, 8, temperature)[0, 1]
        expected = math.exp(power) / (1 + math.exp(power))
        torch.testing.assert_close(defect, torch.full_like(defect, expected))


def test_no_temperature_changes_which_class_is_likeliest():
    logits = 5 * grain(2, 4, 8, 8)
    kinds = [to_probability(logits, 8, 8, t).argmax(dim=1) for t in (0.1, 1.0, 10.0)]
    assert torch.equal(kinds[0], kinds[1])
    assert torch.equal(kinds[1], kinds[2])


@pytest.mark.parametrize("huge", [89.0, 1e4, 3e38])  # e^89 is more than float32 holds
def test_huge_logits_become_sure_probabilities_and_no_nan(huge: float):
    logits = torch.tensor([[huge, 0.0, -huge], [-huge, -huge, -huge]])[:, :, None, None]
    probability = to_probability(logits, 1, 1)[:, :, 0, 0]
    torch.testing.assert_close(probability, torch.tensor([[1.0, 0.0, 0.0], [1 / 3] * 3]))


def test_the_probabilities_of_a_picture_do_not_depend_on_the_others_of_its_batch():
    logits = 20 * grain(3, 4, SIDE, SIDE) - 10
    together = to_probability(logits, 40, 50)
    for index in range(3):
        alone = to_probability(logits[index : index + 1], 40, 50)
        torch.testing.assert_close(together[index : index + 1], alone)


def test_a_pixel_gets_its_likeliest_defect_class_even_where_the_background_is_likelier():
    probability = pixels((0.5, 0.125, 0.375), (0.5, 0.375, 0.125), (0.625, 0.375, 0.0))
    assert to_mask(probability, [0.5, 0.5]).tolist() == [[[2, 1, 0]]]


def test_the_classes_of_a_pixel_count_together_against_the_threshold():
    probability = pixels((0.5, 0.25, 0.25), (0.75, 0.125, 0.125))
    assert to_mask(probability, [0.5, 0.5]).tolist() == [[[1, 0]]]  # of equals the first


def test_each_class_has_its_own_threshold():
    probability = pixels((0.5, 0.375, 0.125), (0.5, 0.125, 0.375))
    assert to_mask(probability, [0.75, 0.25]).tolist() == [[[0, 2]]]
    assert to_mask(probability, [0.25, 0.75]).tolist() == [[[1, 0]]]


def test_a_pixel_at_the_threshold_is_a_defect_and_just_below_it_is_none():
    more = 0.5 + 2**-24  # what float32 holds next above 0.5
    probability = pixels((0.5, 0.5), (more, 1 - more), (1.0, 0.0))
    assert to_mask(probability, [0.5]).tolist() == [[[1, 0, 0]]]


def test_a_threshold_of_0_makes_every_pixel_a_defect_and_of_1_only_sure_ones():
    probability = pixels((1.0, 0.0), (0.5, 0.5), (0.0, 1.0))
    assert to_mask(probability, [0.0]).tolist() == [[[1, 1, 1]]]
    assert to_mask(probability, [1.0]).tolist() == [[[0, 0, 1]]]


def test_a_mask_has_one_byte_a_pixel_for_up_to_255_classes():
    probability = torch.zeros(2, 256, 3, 4)
    probability[1, 255] = 1.0
    probability[0, 0] = 1.0
    masks = to_mask(probability, [0.5] * 255)
    assert (masks.shape, masks.dtype) == ((2, 3, 4), torch.uint8)
    assert [each.unique().tolist() for each in masks] == [[0], [255]]


def test_the_mask_of_a_picture_does_not_depend_on_the_others_of_its_batch():
    probability = (5 * grain(3, 4, 16, 20)).softmax(dim=1)
    together = to_mask(probability, [0.7, 0.75, 0.8])
    assert set(together.flatten().tolist()) == {0, 1, 2, 3}
    for index in range(3):
        alone = to_mask(probability[index : index + 1], [0.7, 0.75, 0.8])
        assert torch.equal(together[index : index + 1], alone)


@pytest.mark.parametrize("old", SIZES)
def test_resizing_is_what_torch_calls_antialiased_bilinear(old: int):
    images = grain(2, 3, old, 50)
    for new in SIZES:
        expected = interpolate(images, (new, 40), mode="bilinear", antialias=True)
        torch.testing.assert_close(resize(images, (new, 40)), expected, rtol=0, atol=2e-6)
        turned = resize(images.transpose(2, 3), (40, new)).transpose(2, 3)
        torch.testing.assert_close(turned, expected, rtol=0, atol=2e-6)


def test_a_picture_of_many_pixels_is_resized_as_exactly_as_a_small_one():
    images = grain(1, 1, 2, 4096)
    for new in (256, 300):
        expected = interpolate(images.double(), (2, new), mode="bilinear", antialias=True)
        torch.testing.assert_close(resize(images, (2, new)), expected.float(), rtol=0, atol=2e-5)


def test_every_channel_is_resized_alike_and_by_itself():
    images = grain(2, 3, 20, 30)
    whole = resize(images, (12, 45))
    for channel in range(3):
        alone = resize(images[:, channel : channel + 1], (12, 45))
        torch.testing.assert_close(whole[:, channel : channel + 1], alone, rtol=0, atol=1e-6)


def test_a_size_that_fits_is_left_as_it_is():
    images = grain(1, 2, 17, 33)
    torch.testing.assert_close(resize(images, (17, 33)), images, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "weights"),
    [
        # the triangle around 1 reaches from -1 to 3: 3/4, 3/4 and 1/4 at 0.5, 1.5 and 2.5
        (4, 2, [[3 / 7, 3 / 7, 1 / 7, 0], [0, 1 / 7, 3 / 7, 3 / 7]]),
        # new pixels lie at 0.25, 0.75, 1.25 and 1.75, old ones at 0.5 and 1.5
        (2, 4, [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]]),
        (1, 3, [[1], [1], [1]]),
        (3, 1, [[2 / 7, 3 / 7, 2 / 7]]),  # 1 - |0.5 - 1.5| / 3 is 2/3 at both ends
    ],
)
def test_a_new_pixel_weighs_the_old_ones_by_a_triangle(
    old: int, new: int, weights: list[list[float]]
):
    torch.testing.assert_close(resampling(old, new), torch.tensor(weights, dtype=torch.float32))


@pytest.mark.parametrize("new", SIZES)
def test_the_weights_of_a_new_pixel_are_shares_that_sum_to_1(new: int):
    for old in SIZES:
        weights = resampling(old, new)
        assert weights.shape == (new, old)
        assert weights.min() >= 0
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(new))


@pytest.mark.parametrize("height", range(1, 10))
def test_the_mean_around_a_pixel_is_of_those_of_the_7_by_7_that_exist(height: int):
    for width in range(1, 10):
        images = grain(2, 3, height, width)
        expected = avg_pool2d(images, 7, stride=1, padding=3, count_include_pad=False)
        torch.testing.assert_close(mean_around(images), expected)


def test_the_mean_around_the_corner_of_a_picture_is_of_16_pixels():
    images = torch.zeros(1, 1, 20, 20)
    images[0, 0, 3, 3] = 1.0
    around = mean_around(images)[0, 0]
    assert around[0, 0] == pytest.approx(1 / 16)  # rows and columns 0 to 3
    assert around[6, 6] == pytest.approx(1 / 49)
    assert around[0, 6] == pytest.approx(1 / 28)
    assert around[7, 0] == around[0, 7] == 0
