"""The ONNX Runtime engine: pictures in, probabilities out, from the exported file alone."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from defectseg.errors import ModelFileError


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
