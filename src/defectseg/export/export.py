"""A trained model in, the files that ship out: each believed once it agreed with torch.

models/unet.onnx              float32: never written unless it says what torch says
models/variants/unet.*.onnx   INT8 and float16, where they lose little; see `offers`
models/variants/offers.json   which engine may run which file, and why not
models/README.md              how to run them
metrics/export.json           every number, and what is offered
metrics/variants/index.html   the same for people

All of it is made in a folder of its own first: a failure leaves the earlier files.
"""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field

from defectseg.data.split import Split
from defectseg.data.staging import stage_beside, swap_in
from defectseg.data.tile import TileSet
from defectseg.errors import ExportError
from defectseg.export.accuracy_control import quantize_within_limits
from defectseg.export.facts import ExportedFile, ExportFacts
from defectseg.export.graph import export_graph
from defectseg.export.half import write_half
from defectseg.export.offers import Limits, MaxDrop, Offer, judge_difference
from defectseg.export.page import write_page
from defectseg.export.ranges import choose_pictures
from defectseg.export.readme import write_readme
from defectseg.export.variants import Contender, Scores, compare
from defectseg.files import remove_leftovers, replace_atomically, write_json
from defectseg.inference.engine_settings import EngineSettings
from defectseg.inference.open_engine import EngineName, opened
from defectseg.inference.operating_point import OperatingPoint
from defectseg.inference.refusals import OFFERS
from defectseg.inference.torch_engine import TorchEngine
from defectseg.network.unet import ModelInfo
from defectseg.params import Section

ENGINES: tuple[EngineName, ...] = ("onnxruntime", "openvino")


class ExportParams(Section):
    """params.yaml: export."""

    opset: int = Field(ge=18, le=25)
    variants: tuple[Literal["int8", "fp16"], ...]
    calibration_pictures: int = Field(ge=1)
    tolerance: float = Field(gt=0)
    max_drop: MaxDrop
    max_verdicts_changed: float = Field(ge=0, le=1)

    def limits(self, variant: str) -> Limits:
        """What a variant may lose; float32 may lose nothing but last digits."""
        return Limits(
            dice_drop=self.max_drop.dice,
            class_iou_drop=self.max_drop.class_iou,
            verdicts_changed=self.max_verdicts_changed,
            probability=self.tolerance if variant == "fp32" else None,
        )


@dataclass(frozen=True)
class Trained:
    """A model as the stages train and evaluate leave it."""

    network: torch.nn.Module
    info: ModelInfo
    point: OperatingPoint
    weights: Path


@dataclass(frozen=True)
class Outputs:
    """Where everything goes."""

    graph: Path  # models/unet.onnx
    variants: Path  # a folder
    readme: Path
    metrics: Path
    page: Path


def export_model(
    trained: Trained, tiles: TileSet, split: Split, params: ExportParams, outputs: Outputs
) -> ExportFacts:
    """Export, compare every file in every engine on the whole test part, and write what may ship.

    Raises:
        ExportError: The float32 graph differs from torch in ONNX Runtime; earlier files stay.
    """
    refuse_other_point(trained)
    with stage_beside(outputs.variants) as stage:
        paths, layers_in_float = write_files(trained, tiles, split, params, stage)
        test = tiles.only(split.ids("test"))
        scores, offers = judge_files(trained, paths, test, params)
        refuse_wrong_graph(offers)
        offered = {offer.difference.variant for offer in offers if offer.is_offered}
        facts = ExportFacts(
            info=trained.info,
            point=trained.point,
            opset=params.opset,
            files=tuple(
                ExportedFile.of(variant, path)
                for variant, path in paths.items()
                if variant in offered
            ),
            trusted=scores,
            offers=tuple(offers),
            layers_in_float=layers_in_float,
        )
        publish(facts, paths, stage, outputs)
    return facts


def refuse_other_point(trained: Trained) -> None:
    """Raises: ExportError: The operating point is that of a model with other classes."""
    if trained.point.names != trained.info.classes:
        raise ExportError(
            f"the model has the classes {', '.join(trained.info.classes)}, but the operating point "
            f"{', '.join(trained.point.names)}; run the stage evaluate again"
        )


def write_files(
    trained: Trained, tiles: TileSet, split: Split, params: ExportParams, folder: Path
) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Write the graph and its variants.

    Returns:
        Their paths by the name of the variant, and the layers of INT8 that stayed in float.
    """
    layers_in_float: tuple[str, ...] = ()
    paths = {"fp32": folder / "unet.onnx"}
    export_graph(
        trained.network, trained.info, trained.point, trained.weights, paths["fp32"], params.opset
    )
    for variant in dict.fromkeys(params.variants):
        paths[variant] = folder / f"unet.{variant}.onnx"
    if "fp16" in paths:
        write_half(paths["fp32"], paths["fp16"])
    if "int8" in paths:
        train = tiles.only(split.ids("train"))
        channels = trained.info.network.in_channels
        chosen = choose_pictures(train.tiles, params.calibration_pictures)
        layers_in_float = quantize_within_limits(
            paths["fp32"],
            paths["int8"],
            (train.picture(tile, channels) for tile in chosen),
            tiles.only(split.ids("valid")),
            params.limits("int8"),
            torch.get_num_threads(),
        )
    return paths, layers_in_float


def judge_files(
    trained: Trained, paths: Mapping[str, Path], test: TileSet, params: ExportParams
) -> tuple[Scores, list[Offer]]:
    """Compare every file in every engine with torch; torch's scores, and a verdict on each."""
    info, settings = trained.info, EngineSettings(torch.get_num_threads(), provider="cpu")
    trusted = TorchEngine(trained.network, info.image_size, trained.point, torch.device("cpu"))
    with ExitStack() as stack:
        contenders = [
            Contender(variant, engine, stack.enter_context(opened(path, engine, settings)))
            for variant, path in paths.items()
            for engine in ENGINES
        ]
        scores, differences = compare(
            trusted, contenders, test, info.network.in_channels, trained.point
        )
    offers = [judge_difference(found, params.limits(found.variant)) for found in differences]
    return scores, offers


def refuse_wrong_graph(offers: Sequence[Offer]) -> None:
    """Raises: ExportError: The float32 graph may not be used even in ONNX Runtime."""
    for offer in offers:
        found = offer.difference
        if (found.variant, found.engine) == ("fp32", "onnxruntime") and not offer.is_offered:
            raise ExportError(
                f"the exported graph differs from torch on {found.pictures} test pictures: "
                f"{'; '.join(offer.reasons)}. Nothing was written. params.yaml: export.tolerance "
                "and the limits beside it say how much is allowed"
            )


def publish(facts: ExportFacts, paths: Mapping[str, Path], stage: Path, outputs: Outputs) -> None:
    """Put what is offered in its place, and write what is said about it."""
    new = stage / outputs.variants.name
    new.mkdir()
    for file in facts.files:
        if file.variant != "fp32":
            paths[file.variant].rename(new / file.name)
    write_json(new / OFFERS, facts.as_offers())
    for path in (outputs.graph, outputs.readme, outputs.metrics, outputs.page):
        remove_leftovers(path)
    with swap_in(new, outputs.variants, stage):
        with replace_atomically(outputs.graph) as staging:
            shutil.copyfile(paths["fp32"], staging)
        write_readme(outputs.readme, facts)
        write_json(outputs.metrics, facts.as_metrics())
        write_page(outputs.page, facts)
