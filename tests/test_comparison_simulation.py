"""The verdict on simulated test parts: right where there is something, silent where not."""

from collections import Counter

import numpy as np
import pytest

from defectseg.comparison.evidence import Evidence, weigh_evidence
from defectseg.comparison.ranked import RankedTable
from defectseg.comparison.simulation import (
    CLASSES,
    draw_model,
    draw_part,
    plant_missed_pixels,
    plant_wrong_verdicts,
)
from defectseg.evaluation.gates import LOWER_IS_BETTER

REPEATS = 200
DRAWS = 200
GATED = ("iou_macro", "escape_rate", "false_alarm_rate")  # of params.yaml
BOUND = 18


def weigh(part, base: RankedTable, head: RankedTable, draws: int = DRAWS) -> dict[str, Evidence]:
    return weigh_evidence(base, head, part.surfaces, CLASSES, draws, 0)


def is_worse(found: dict[str, Evidence], name: str) -> bool:
    one = found[name]
    return one.is_sure and (one.difference > 0) == name.startswith(LOWER_IS_BETTER)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_another_seed_cannot_be_told_from_the_first_in_95_of_100_repeats():
    sure: Counter[str] = Counter()
    rests_on: Counter[str] = Counter()
    for repeat in range(REPEATS):
        draw = np.random.default_rng([0, repeat])
        part = draw_part(draw, surfaces=40)
        found = weigh(part, draw_model(part, draw), draw_model(part, draw))
        sure.update(name for name, one in found.items() if one.is_sure)
        sure.update(["any gate worse"] * any(is_worse(found, name) for name in GATED))
        rests_on.update({name: one.surfaces for name, one in found.items()})
    decided = ("any gate worse", "dice_pooled", *GATED)
    assert {name: sure[name] for name in decided if sure[name] > 0.05 * REPEATS} == {}
    # Of so many metrics a luckless one may be above 10 of 200: the bound is the 99 % quantile of
    # a binomial of 5 in 100.
    assert {name: n for name, n in sure.items() if n > BOUND} == {}
    each = [n for name, n in sure.items() if name in rests_on]
    assert 0.005 < sum(each) / len(rests_on) / REPEATS < 0.05  # neither loud nor mute
    assert rests_on["iou_uneven"] / REPEATS < 3  # a rare class is among them


def test_a_regression_of_5_in_100_pixels_is_worse():
    draw = np.random.default_rng(1)
    part = draw_part(draw)
    model = draw_model(part, draw)
    for name, missed in (("dice_pooled", 0.09), ("iou_macro", 0.1), ("recall_pooled", 0.08)):
        found = weigh(part, model, plant_missed_pixels(part, model, missed))
        assert found[name].difference == pytest.approx(-0.05, abs=0.01), name
        assert found[name].is_sure, name
    assert found["escape_rate"].difference == found["false_alarm_rate"].difference == 0


def test_a_regression_of_5_in_100_verdicts_is_worse():
    draw = np.random.default_rng(3)
    part = draw_part(draw)
    model = draw_model(part, draw)
    planted = {"escape_rate": (0.05, 0.0), "false_alarm_rate": (0.0, 0.05)}
    for name, (escapes, alarms) in planted.items():
        found = weigh(part, model, plant_wrong_verdicts(model, escapes, alarms, draw))
        assert found[name].difference == pytest.approx(0.05, abs=0.01)
        assert found[name].is_sure, name
        assert found["dice_pooled"].difference == 0


def test_the_simulated_scores_look_like_real_ones():
    draw = np.random.default_rng(0)
    part = draw_part(draw)
    scores = draw_model(part, draw).scores(np.ones((1, len(part.surfaces))), CLASSES)
    assert 0.6 < scores["dice_pooled"][0] < 0.9
    assert 0.4 < scores["iou_macro"][0] < 0.8
    assert 0.8 < scores["image_auroc"][0] < 0.99
    assert 0.02 < scores["escape_rate"][0] < 0.25
    assert 0.02 < scores["false_alarm_rate"][0] < 0.25
    assert len(set(part.surfaces)) == 80
    assert 200 < len(part.surfaces) < 400
