"""A model, the valid and the test part in; operating point, metrics and a report out.

The stage evaluate, in order: calibrate and choose on valid, measure on test, write.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from defectseg.data.audit.leaks import PARTS
from defectseg.data.split import Split
from defectseg.data.tile import TileSet, count_classes
from defectseg.errors import DataError
from defectseg.evaluation.calibration import Calibration, calibrate
from defectseg.evaluation.curve import escape_curve
from defectseg.evaluation.gallery import choose_galleries
from defectseg.evaluation.gates import check_gates
from defectseg.evaluation.metrics import evaluate_pictures, to_number
from defectseg.evaluation.operating_point import Choice, choose_operating_point
from defectseg.evaluation.outputs import Outputs, write_outputs
from defectseg.evaluation.pixel_counts import PixelCounts, calibration_error, reliability
from defectseg.evaluation.report.facts import ReportFacts
from defectseg.evaluation.rule import RuleParams
from defectseg.evaluation.scored import ScoredPicture, score_part
from defectseg.evaluation.slices import slice_scores
from defectseg.inference.engine import Engine
from defectseg.inference.operating_point import OperatingPoint, neutral_point
from defectseg.network.unet import ModelInfo
from defectseg.params import Section

CHOSEN_ON = ("pictures", "surfaces", "iou_macro")  # of the valid part itself


class EvaluateParams(Section):
    """params.yaml: evaluate."""

    operating_point: RuleParams
    gates: dict[str, float | None]
    bootstrap: int = Field(ge=100)
    gallery: int = Field(ge=1, le=20)


class TunableEngine(Engine, Protocol):
    """A trained network whose operating point is still to be chosen."""

    def at(self, point: OperatingPoint) -> Self:
        """The same network with another operating point."""

    def logits(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Pictures (N, H, W, C) → logits (N, 1 + K, S, S), before the temperature."""


@dataclass(frozen=True)
class Measured:
    """What the operating point does to a part."""

    pictures: list[ScoredPicture]
    pixels: PixelCounts


def evaluate_model(
    engine: TunableEngine,
    info: ModelInfo,
    tiles: TileSet,
    split: Split,
    params: EvaluateParams,
    seed: int,
    training: Mapping[str, Sequence[float]],
    outputs: Outputs,
) -> dict[str, Any]:
    """Choose the operating point, score the test part, write everything that people and DVC read.

    Args:
        engine: The trained network; its own operating point does not matter.
        training: What the training logged, a value an epoch.

    Raises:
        DataError: The model was trained on other classes than the tiles have.
        ParamsError: A gate is set for something that is no score.
    """
    if info.classes != tiles.classes:
        raise DataError(
            f"the model knows the classes {list(info.classes)}, "
            f"the tiles have {list(tiles.classes)}; run train again"
        )
    channels = info.network.in_channels
    parts = {part: tiles.only(split.ids(part)) for part in PARTS}
    choice, calibration = choose_on_valid(
        engine, parts["valid"], channels, params.operating_point, seed
    )
    chosen = engine.at(choice.point)
    measured = {
        part: Measured(*score_part(chosen, choice.point, parts[part], channels, f"measure {part}"))
        for part in ("valid", "test")
    }
    metrics = score(measured, choice, params.bootstrap, info.classes, seed, calibration)
    facts = tell(metrics, info, choice, params, measured, parts, chosen, training)
    write_outputs(outputs, facts, measured["test"].pictures, measured["test"].pixels)
    return dict(facts.metrics)


def choose_on_valid(
    engine: TunableEngine, valid: TileSet, channels: int, rule: RuleParams, seed: int
) -> tuple[Choice, Calibration]:
    """The operating point and its promise, and how honest valid's probabilities are."""
    calibration = calibrate(engine.logits, valid, channels, seed)
    warm = {"temperature": calibration.temperature}
    calibrated = engine.at(neutral_point(valid.classes).model_copy(update=warm))
    choice = choose_operating_point(calibrated, valid, channels, rule, calibration.temperature)
    return choice, calibration


def score(
    measured: Mapping[str, Measured],
    choice: Choice,
    resamples: int,
    classes: Sequence[str],
    seed: int,
    calibration: Calibration,
) -> dict[str, Any]:
    """The scores of the test part, and beside them what the valid part promised."""
    test, valid = measured["test"], measured["valid"]
    metrics = evaluate_pictures(test.pictures, classes, resamples, seed)
    chosen_on = evaluate_pictures(valid.pictures, classes, resamples, seed)
    interval = metrics.pop("interval")
    return metrics | {
        "ece": to_number(calibration_error(reliability(test.pixels))),
        "interval": interval,
        "valid": {name: chosen_on[name] for name in CHOSEN_ON}
        | {name: to_number(rate) for name, rate in choice.promised().items()}
        | {
            "ece_before": to_number(calibration.error_before),
            "ece_after": to_number(calibration.error_after),
        },
    }


def tell(
    metrics: dict[str, Any],
    info: ModelInfo,
    choice: Choice,
    params: EvaluateParams,
    measured: Mapping[str, Measured],
    parts: Mapping[str, TileSet],
    engine: Engine,
    training: Mapping[str, Sequence[float]],
) -> ReportFacts:
    """Everything that the report says; `metrics` with gates is metrics/evaluate.json."""
    point, gates = choice.point, check_gates(metrics, params.gates)
    decided = {"operating_point": point.model_dump(), "gates": [asdict(gate) for gate in gates]}
    pictures, channels = measured["test"].pictures, info.network.in_channels
    return ReportFacts(
        metrics=metrics | decided,
        info=info,
        point=point,
        gates=gates,
        curves={
            "valid": escape_curve(choice.scores, choice.is_defect),
            "test": escape_curve(
                np.array([picture.score for picture in pictures]),
                np.array([picture.tile.is_defect for picture in pictures], dtype=bool),
            ),
        },
        reliability={name: reliability(part.pixels) for name, part in measured.items()},
        confusion=[(picture.tile.defect_class, picture.said) for picture in pictures],
        slices=slice_scores(pictures, info.classes),
        galleries=choose_galleries(
            pictures, engine, point, parts["test"], channels, params.gallery
        ),
        training=training,
        parts={name: count_classes(part.tiles, part.classes) for name, part in parts.items()},
    )
