"""The OpenVINO engine: pictures in, probabilities and masks out, from the file alone."""

from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino

from defectseg.errors import ModelFileError
from defectseg.inference.batch import refuse_wrong_batch
from defectseg.inference.engine import Output
from defectseg.inference.engine_settings import EngineSettings
from defectseg.inference.model_facts import ModelFacts, read_facts


class OpenVinoEngine:
    """Runs models/unet.onnx; needs neither torch nor the training packages.

    Several threads may call `run` at once: each takes an infer request of its own. A batch runs
    picture by picture: with a fixed N of 1 the network's shapes are known when it is compiled.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Args: as in `EngineSettings`.

        Raises:
            ModelFileError: The file is missing or no graph, or not our export.
        """
        core = openvino.Core()
        try:
            model = core.read_model(path)
            self.facts: ModelFacts = read_facts(_metadata(model))
            model.reshape([1, -1, -1, self.facts.channels])
            self._compiled: Any = core.compile_model(model, "CPU", _config(threads))
        except ModelFileError as error:
            raise ModelFileError(f"{path}: {error}") from error
        except Exception as error:
            raise ModelFileError(f"OpenVINO cannot load {path}: {error}") from error
        self._idle: deque[Any] = deque()  # infer requests; append and pop are atomic
        self.name = f"OpenVINO {openvino.__version__.partition('-')[0]}, CPU"

    def run(self, pictures: npt.NDArray[np.uint8]) -> Output:
        """See `Engine.run`.

        Raises:
            ValueError: The pictures are not as the model takes them, or the engine is closed.
        """
        compiled = self._compiled
        if compiled is None:
            raise ValueError("the engine is closed; open it again")
        refuse_wrong_batch(pictures, self.facts.channels)
        try:
            request = self._idle.pop()
        except IndexError:
            request = compiled.create_infer_request()
        outputs = [_infer(request, pictures[index : index + 1]) for index in range(len(pictures))]
        self._idle.append(request)
        if len(outputs) == 1:
            return outputs[0]
        return Output(
            np.concatenate([output.probability for output in outputs]),
            np.concatenate([output.mask for output in outputs]),
        )

    def close(self) -> None:
        """Give the memory and the threads back once no `run` needs them any more."""
        self._compiled = None
        self._idle.clear()


def _config(threads: int) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": EngineSettings(threads).count_threads(),
        "INFERENCE_PRECISION_HINT": "f32",  # of what is not quantised; else bf16 where there is any
        "ENABLE_CPU_PINNING": False,  # a thread bound to a busy core waits though another is idle
    }


def _infer(request: Any, picture: npt.NDArray[np.uint8]) -> Output:
    """One picture (1, H, W, C) → its output, copied: the request's own memory is used again."""
    results = request.infer({"pictures": np.ascontiguousarray(picture)}, share_inputs=True)
    return Output(np.asarray(results["probability"]), np.asarray(results["mask"]))


def _metadata(model: Any) -> dict[str, str]:
    """The metadata of an ONNX file, which OpenVINO keeps below `framework`."""
    found = dict(model.get_rt_info().items()).get("framework", {})
    return {name: value.astype(str) for name, value in found.items()}
