"""torch_engine: what training, evaluation and the exported graph share, run on tiny networks."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
import torch

from defectseg.inference.operating_point import ClassPoint, OperatingPoint, neutral_point
from defectseg.inference.predictor import defect_probability, likeliest_kind
from defectseg.inference.torch_engine import Segmenter, TorchEngine
from defectseg.pixels import to_input
from tiny import BLOWHOLE as DRAWN
from tiny import CLASSES, draw_picture, network

SIDE = 64  # pixels: S
CPU = torch.device("cpu")


def pictures(count: int, channels: int = 1) -> npt.NDArray[np.uint8]:
    """Pictures (N, 48, 80, C), each of its own grain; the colours of a picture differ."""
    planes = [draw_picture(f"p{index}", DRAWN[:48, :80]) for index in range(count * channels)]
    return np.stack(planes).reshape(count, channels, 48, 80).transpose(0, 2, 3, 1)


def point(thresholds: tuple[float, ...] = (0.5, 0.5), temperature: float = 1.0) -> OperatingPoint:
    """An operating point with these thresholds and this temperature."""
    each = zip(CLASSES, thresholds, strict=True)
    points = tuple(ClassPoint(defect_class=n, threshold=t, min_area=1) for n, t in each)
    changes = {"classes": points, "temperature": temperature}
    return neutral_point(CLASSES).model_copy(update=changes)


def engine(chosen: OperatingPoint, channels: int = 1) -> TorchEngine:
    return TorchEngine(network(in_channels=channels), SIDE, chosen, CPU)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 3])
def test_every_picture_gets_probabilities_and_a_mask_at_its_own_size(channels: int, count: int):
    output = engine(point(), channels).run(pictures(count, channels))
    assert (output.probability.shape, output.probability.dtype) == ((count, 3, 48, 80), np.float32)
    assert (output.mask.shape, output.mask.dtype) == ((count, 48, 80), np.uint8)
    np.testing.assert_allclose(output.probability.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (5, 301), (64, 64), (200, 33)])
def test_every_size_of_picture_is_taken(size: tuple[int, int]):
    grain = np.random.default_rng(0).integers(0, 256, (1, *size, 1), dtype=np.uint8)
    output = engine(point()).run(grain)
    assert (output.probability.shape, output.mask.shape) == ((1, 3, *size), (1, *size))
    assert np.isfinite(output.probability).all()


def test_the_probabilities_are_the_softmax_of_the_logits_over_the_temperature():
    square = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 1), dtype=np.uint8)
    warm = engine(point(temperature=2.5))
    expected = torch.from_numpy(warm.logits(square) / 2.5).softmax(dim=1)
    np.testing.assert_allclose(warm.run(square).probability, expected, atol=1e-5)


def test_the_logits_are_those_of_the_network_before_any_temperature():
    net, batch = network(), pictures(2)
    with torch.inference_mode():
        expected = net(to_input(torch.from_numpy(batch.copy()), SIDE)).numpy()
    assert expected.shape == (2, 3, SIDE, SIDE)
    for temperature in (0.5, 4.0):
        chosen = TorchEngine(net, SIDE, point(temperature=temperature), CPU)
        np.testing.assert_array_equal(chosen.logits(batch), expected)


def test_a_higher_temperature_makes_every_probability_less_sure():
    square = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 1), dtype=np.uint8)
    cold, warm = (engine(point(temperature=t)).run(square).probability for t in (1.0, 3.0))
    assert (warm.max(axis=1) < cold.max(axis=1)).all()


def test_the_mask_is_the_likeliest_class_where_its_threshold_is_reached():
    thresholds = (0.55, 0.35)
    output = engine(point(thresholds)).run(pictures(1))
    defect = defect_probability(output.probability[0])
    kind = likeliest_kind(output.probability[0])
    expected = np.where(defect >= np.array(thresholds, np.float32)[kind - 1], kind, 0)
    assert set(expected.ravel().tolist()) == {0, 1, 2}  # or the test would say little
    np.testing.assert_array_equal(output.mask[0], expected)


def test_another_operating_point_leaves_the_first_engine_as_it_was():
    batch, first = pictures(1), engine(point())
    before = first.run(batch)
    second = first.at(point((0.0, 0.0), temperature=3.0))
    assert (second.run(batch).mask > 0).all()
    np.testing.assert_array_equal(second.logits(batch), first.logits(batch))
    after = first.run(batch)
    np.testing.assert_array_equal(after.probability, before.probability)
    np.testing.assert_array_equal(after.mask, before.mask)


def test_an_engine_at_a_point_says_what_one_made_for_it_says():
    batch, chosen = pictures(2), point((0.3, 0.7), temperature=1.7)
    moved, made = engine(point()).at(chosen).run(batch), engine(chosen).run(batch)
    np.testing.assert_array_equal(moved.probability, made.probability)
    np.testing.assert_array_equal(moved.mask, made.mask)


def test_a_picture_is_judged_alike_alone_and_in_a_batch():
    batch, chosen = pictures(3), engine(point())
    together = chosen.run(batch)
    for index in range(3):
        alone = chosen.run(batch[index : index + 1])
        np.testing.assert_allclose(alone.probability[0], together.probability[index], atol=1e-5)


def test_the_colours_of_a_picture_are_not_mixed_up():
    batch, chosen = pictures(1, channels=3), engine(point(), channels=3)
    straight = chosen.run(batch).probability
    swapped = chosen.run(batch[..., ::-1]).probability
    assert np.abs(straight - swapped).max() > 1e-3


def views() -> Iterator[npt.NDArray[np.uint8]]:
    """The same pictures as arrays that torch would warn of or refuse."""
    batch = pictures(1)
    locked = batch.copy()
    locked.flags.writeable = False
    yield locked
    yield batch[:, ::-1].copy()[:, ::-1]  # negative strides
    yield np.asfortranarray(batch)


@pytest.mark.parametrize("index", range(3), ids=["read only", "turned over", "by columns"])
def test_arrays_of_any_make_are_taken(index: int):
    chosen, same = engine(point()), list(views())[index]
    expected = chosen.run(pictures(1)).probability
    np.testing.assert_allclose(chosen.run(same).probability, expected, atol=1e-6)


def test_a_network_that_was_still_training_predicts_as_one_that_is_ready():
    busy, batch = network().train(), pictures(2)
    output = TorchEngine(busy, SIDE, point(), CPU).run(batch)
    np.testing.assert_array_equal(output.probability, engine(point()).run(batch).probability)
    assert not busy.training


def test_running_keeps_no_gradients():
    net = network()
    TorchEngine(net, SIDE, point(), CPU).run(pictures(1))
    assert all(weight.grad is None for weight in net.parameters())


def test_the_module_that_is_exported_says_what_the_engine_says():
    batch, chosen = pictures(2), point((0.3, 0.7), temperature=1.7)
    module = Segmenter(network(), SIDE, chosen).eval()
    with torch.inference_mode():
        probability, mask = module(torch.from_numpy(batch.copy()))
    output = engine(chosen).run(batch)
    np.testing.assert_array_equal(output.probability, probability.numpy())
    np.testing.assert_array_equal(output.mask, mask.numpy())
