"""What an export made and measured, as metrics/export.json, the page and the README tell it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from defectseg.export.offers import Offer
from defectseg.export.variants import Scores
from defectseg.inference.operating_point import OperatingPoint
from defectseg.network.unet import ModelInfo, file_digest


@dataclass(frozen=True)
class ExportedFile:
    """One file that ships."""

    variant: str  # fp32, int8 or fp16
    name: str  # such as unet.int8.onnx
    size: int  # bytes
    sha256: str

    @classmethod
    def of(cls, variant: str, path: Path) -> Self:
        """Describe a file."""
        return cls(variant, path.name, path.stat().st_size, file_digest(path))

    @property
    def place(self) -> str:
        """Where it lies below models/."""
        return self.name if self.variant == "fp32" else f"variants/{self.name}"


@dataclass(frozen=True)
class ExportFacts:
    """Everything that is said about an export."""

    info: ModelInfo
    point: OperatingPoint
    opset: int
    files: tuple[ExportedFile, ...]  # those that ship, float32 first
    trusted: Scores  # of torch on the test part
    offers: tuple[Offer, ...]  # every variant in every engine
    layers_in_float: tuple[str, ...]  # of INT8, beside its first and last: see `accuracy_control`

    def engines_of(self, variant: str) -> list[str]:
        """The engines that a variant is offered for."""
        return [o.difference.engine for o in self._of(variant) if o.is_offered]

    def variants(self) -> list[str]:
        """All that were tried, float32 first."""
        return list(dict.fromkeys(offer.difference.variant for offer in self.offers))

    def summary(self) -> str:
        """Such as `fp32 for onnxruntime and openvino; int8 for onnxruntime; fp16 for none`."""
        engines = {variant: self.engines_of(variant) for variant in self.variants()}
        return "; ".join(f"{name} for {' and '.join(e) or 'none'}" for name, e in engines.items())

    def as_metrics(self) -> dict[str, Any]:
        """The content of metrics/export.json: the same for the same files."""
        return {
            "opset": self.opset,
            "files": {
                file.variant: {
                    "path": f"models/{file.place}",
                    "bytes": file.size,
                    "sha256": file.sha256,
                }
                for file in self.files
            },
            "int8_layers_in_float": list(self.layers_in_float),
            "offered": {variant: self.engines_of(variant) for variant in self.variants()},
            "trusted": {"dice_pooled": self.trusted.dice}
            | {f"iou_{name}": value for name, value in self.trusted.iou.items()},
            "comparisons": {
                variant: {o.difference.engine: _numbers(o) for o in self._of(variant)}
                for variant in self.variants()
            },
        }

    def as_offers(self) -> dict[str, dict[str, list[str]]]:
        """The content of models/variants/offers.json; see `inference.refusals`."""
        return {
            variant: {o.difference.engine: list(o.reasons) for o in self._of(variant)}
            for variant in self.variants()
        }

    def _of(self, variant: str) -> Iterator[Offer]:
        return (offer for offer in self.offers if offer.difference.variant == variant)


def _numbers(offer: Offer) -> dict[str, Any]:
    found = offer.difference
    return {
        "max_abs_probability_difference": found.max_abs_probability_difference,
        "dice_drop": found.dice_drop,
        **{f"iou_drop_{name}": drop for name, drop in found.iou_drop.items()},
        "flipped_pixel_fraction": found.flipped_pixel_fraction,
        "verdicts_changed": found.verdicts_changed,
        "pictures": found.pictures,
        "offered": offer.is_offered,
        "reasons": list(offer.reasons),
    }
