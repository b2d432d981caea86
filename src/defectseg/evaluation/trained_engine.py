"""Trained weights in, the engine that runs them by torch out: the one that others must match."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from defectseg.errors import ModelFileError
from defectseg.inference.batch import refuse_wrong_batch
from defectseg.inference.engine import Output
from defectseg.inference.engine_settings import EngineSettings
from defectseg.inference.model_facts import ModelFacts, refuse_contradictions
from defectseg.inference.operating_point import read_point
from defectseg.inference.torch_engine import TorchEngine
from defectseg.network.unet import file_digest, load_unet

POINT = "operating_point.json"  # beside the weights


class TrainedEngine:
    """Runs models/unet.safetensors on the CPU; needs the training packages.

    Several threads may call `run` at once.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Args: as in `EngineSettings`; torch has one number of threads for the whole process.

        Raises:
            ModelFileError: The weights, their JSON or the operating point is missing or damaged.
        """
        network, info = load_unet(path)
        point = read_point(path.with_name(POINT))
        torch.set_num_threads(EngineSettings(threads).count_threads())
        self._engine: TorchEngine | None = TorchEngine(
            network, info.image_size, point, torch.device("cpu")
        )
        self.facts = ModelFacts(
            classes=info.classes,
            channels=info.network.in_channels,
            image_size=info.image_size,
            precision="fp32",
            point=point,
            weights_sha256=file_digest(path),
            data_digest=info.data_digest,
            package_version=info.package_version,
        )
        try:
            refuse_contradictions(self.facts)
        except ValueError as error:
            raise ModelFileError(f"{path} and its {POINT} are of two models: {error}") from error
        self.name = f"PyTorch {torch.__version__.partition('+')[0]}, CPU"

    def run(self, pictures: npt.NDArray[np.uint8]) -> Output:
        """See `Engine.run`.

        Raises:
            ValueError: The pictures are not as the model takes them, or the engine is closed.
        """
        engine = self._engine
        if engine is None:
            raise ValueError("the engine is closed; open it again")
        refuse_wrong_batch(pictures, self.facts.channels)
        return engine.run(pictures)

    def close(self) -> None:
        """Give the memory back once no `run` needs it any more."""
        self._engine = None
