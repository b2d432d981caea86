"""The ONNX Runtime engine: pictures in, probabilities out, from the exported file alone."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from defectseg.errors import ModelFileError


@dataclass(frozen=True)
class ModelFacts:
    """What the metadata of the file says; see `export.graph.describe`."""

    classes: tuple[str, ...]
    threshold: float  # of a pixel's defect probability, 0..1
    channels: int  # 1 grey, 3 RGB
    weights_sha256: str


class OnnxEngine:
    """Runs models/unet.onnx; needs neither torch nor the training packages."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Args: threads: inside one operator; 0 leaves it to ONNX Runtime.

        Raises:
            ModelFileError: The file is missing or no graph.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors only
        try:
            self._session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        except Exception as error:
            raise ModelFileError(f"ONNX Runtime cannot load {path}: {error}") from error

    def run(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """See `Engine.run`."""
        (probability,) = self._session.run(["probability"], {"pictures": pictures})
        return np.asarray(probability, dtype=np.float32)

    @property
    def facts(self) -> ModelFacts:
        """What the file says about itself.

        Raises:
            ModelFileError: It says nothing, or something else: it is not our export.
        """
        found = self._session.get_modelmeta().custom_metadata_map
        try:
            return ModelFacts(
                classes=tuple(found["classes"].split(",")),
                threshold=float(found["threshold"]),
                channels=int(found["in_channels"]),
                weights_sha256=found["weights_sha256"],
            )
        except (KeyError, ValueError) as error:
            raise ModelFileError(
                f"the ONNX file lacks our metadata ({error}); export it with the stage export"
            ) from error
