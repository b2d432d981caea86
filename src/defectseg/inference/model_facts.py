"""The metadata of an exported model in, what it says about itself out: needs no engine."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from defectseg.errors import ModelFileError
from defectseg.inference.operating_point import OperatingPoint

ADVICE = "it is no export of this version: make it by the stage export"


@dataclass(frozen=True)
class ModelFacts:
    """What the metadata of the file says; `export.graph.describe` writes it."""

    classes: tuple[str, ...]  # the K defect classes; mask value k is classes[k - 1]
    channels: int  # 1 grey, 3 RGB
    image_size: int  # pixels: S of the network's S × S input
    precision: str  # fp32, int8 or fp16
    point: OperatingPoint
    weights_sha256: str  # of models/unet.safetensors
    data_digest: str  # of the tiles that it was trained on
    package_version: str


def read_facts(metadata: Mapping[str, str]) -> ModelFacts:
    """Read the metadata of our export.

    Raises:
        ModelFileError: Something is missing, wrong or of another version: it is not our export.
    """
    try:
        facts = ModelFacts(
            classes=tuple(json.loads(metadata["classes"])),
            channels=int(metadata["in_channels"]),
            image_size=int(metadata["image_size"]),
            precision=metadata["precision"],
            point=OperatingPoint.model_validate_json(metadata["operating_point"]),
            weights_sha256=metadata["weights_sha256"],
            data_digest=metadata["data_digest"],
            package_version=metadata["package_version"],
        )
        refuse_contradictions(facts)
    except KeyError as error:
        raise ModelFileError(f"the model file lacks our metadata {error}; {ADVICE}") from error
    except (ValueError, TypeError) as error:  # pydantic's and json's errors are ValueErrors
        raise ModelFileError(f"the model file has wrong metadata ({error}); {ADVICE}") from error
    return facts


def refuse_contradictions(facts: ModelFacts) -> None:
    """Raises: ValueError: The facts do not fit each other, or no model has them."""
    if facts.classes != facts.point.names:
        raise ValueError(f"classes {facts.classes}, but operating point of {facts.point.names}")
    if facts.channels not in (1, 3):
        raise ValueError(f"in_channels is {facts.channels}; expected 1 or 3")
    if facts.image_size < 1:
        raise ValueError(f"image_size is {facts.image_size}; expected at least 1")
