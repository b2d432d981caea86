"""The ONNX Runtime engine: pictures in, probabilities and masks out, from the file alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from defectseg.errors import ModelFileError, PackagesError
from defectseg.inference.batch import refuse_wrong_batch
from defectseg.inference.engine import Output
from defectseg.inference.engine_settings import EngineSettings, Provider
from defectseg.inference.model_facts import ModelFacts, read_facts

CPU = "CPUExecutionProvider"
GPUS: dict[Provider, str] = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
}


AUTO = ("CUDAExecutionProvider",)  # TensorRT builds an engine for each picture size: only if asked


class OnnxEngine:
    """Runs models/unet.onnx; needs neither torch nor the training packages.

    Several threads may call `run` at once.
    """

    def __init__(
        self, path: Path, threads: int = 0, spin: bool = False, provider: Provider = "auto"
    ) -> None:
        """Args: as in `EngineSettings`.

        Raises:
            ModelFileError: The file is missing or no graph, or not our export.
            PackagesError: The provider that was asked for is not usable here.
        """
        settings = EngineSettings(threads, spin, provider)
        self._session: Any = _open(path, settings)
        try:
            self.facts: ModelFacts = read_facts(self._session.get_modelmeta().custom_metadata_map)
        except ModelFileError as error:
            raise ModelFileError(f"{path}: {error}") from error
        where = self._session.get_providers()[0].removesuffix("ExecutionProvider")
        self.name = f"ONNX Runtime {onnxruntime.__version__}, {where}"

    def run(self, pictures: npt.NDArray[np.uint8]) -> Output:
        """See `Engine.run`.

        Raises:
            ValueError: The pictures are not as the model takes them, or the engine is closed.
        """
        session = self._session
        if session is None:
            raise ValueError("the engine is closed; open it again")
        refuse_wrong_batch(pictures, self.facts.channels)
        probability, mask = session.run(["probability", "mask"], {"pictures": pictures})
        return Output(np.asarray(probability), np.asarray(mask))

    def close(self) -> None:
        """Give the memory and the threads back once no `run` needs them any more."""
        self._session = None


def _open(path: Path, settings: EngineSettings) -> Any:
    wanted = choose_providers(settings.provider, onnxruntime.get_available_providers())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.count_threads()
    spin = "1" if settings.spin else "0"
    options.add_session_config_entry("session.intra_op.allow_spinning", spin)
    options.add_session_config_entry("session.inter_op.allow_spinning", spin)
    options.enable_mem_pattern = False  # it would keep a plan for every picture size it ever saw
    options.log_severity_level = 3  # errors only
    try:
        session = onnxruntime.InferenceSession(path, options, wanted)
    except Exception as error:
        raise ModelFileError(f"ONNX Runtime cannot load {path}: {error}") from error
    if settings.provider != "auto":
        refuse_fallback(wanted[0], session.get_providers())
    return session


def choose_providers(asked: Provider, present: Sequence[str]) -> list[str]:
    """The execution providers to ask for, the wanted one first, the CPU always last.

    Args:
        present: What this build of ONNX Runtime knows, such as CPUExecutionProvider.

    Raises:
        PackagesError: The one that is asked for is not among them.
    """
    if asked == "cpu":
        return [CPU]
    if asked == "auto":
        return [*(name for name in AUTO if name in present), CPU]
    if GPUS[asked] not in present:
        raise PackagesError(
            f"this ONNX Runtime has no provider {asked} ({GPUS[asked]}), only "
            f"{', '.join(present)}; install onnxruntime-gpu instead of onnxruntime, or choose cpu"
        )
    return [GPUS[asked], CPU]


def refuse_fallback(asked: str, used: Sequence[str]) -> None:
    """Raises: PackagesError: ONNX Runtime took another provider without a word."""
    if asked not in used:
        raise PackagesError(
            f"ONNX Runtime was asked for {asked} but fell back to {', '.join(used)}: a library of "
            "the GPU is missing or of another version; install what it needs, or choose cpu"
        )
