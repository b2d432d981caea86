"""The path of a model and the name of an engine in, that engine ready to run out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from defectseg.errors import ModelFileError, PackagesError
from defectseg.inference.engine import Output
from defectseg.inference.engine_settings import EngineSettings
from defectseg.inference.model_facts import ModelFacts

EngineName = Literal["onnxruntime", "openvino", "torch"]


class LoadedEngine(Protocol):
    """An engine with the model that it runs; several threads may call `run` at once."""

    name: str  # for people, such as `ONNX Runtime 1.31.1, CPU`
    facts: ModelFacts

    def run(self, pictures: npt.NDArray[np.uint8]) -> Output:
        """See `Engine.run`; ValueError for what is no batch of such pictures."""

    def close(self) -> None:
        """Give the memory and the threads back once no `run` needs them any more."""


@dataclass(frozen=True)
class Kind:
    """One kind of engine; `open` imports what it needs only when it is called."""

    open: Callable[[Path, EngineSettings], LoadedEngine]
    suffix: str  # of the file that it runs
    install: str


def _open_onnxruntime(path: Path, settings: EngineSettings) -> LoadedEngine:
    from defectseg.inference.onnx_engine import OnnxEngine

    return OnnxEngine(path, settings.threads, settings.spin, settings.provider)


def _open_openvino(path: Path, settings: EngineSettings) -> LoadedEngine:
    from defectseg.inference.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(path, settings.threads)


def _open_torch(path: Path, settings: EngineSettings) -> LoadedEngine:
    module, _, name = TRAINED.partition(":")
    engine: LoadedEngine = getattr(import_module(module), name)(path, settings.threads)
    return engine


TRAINED = "defectseg.evaluation.trained_engine:TrainedEngine"  # by name: serving has no torch
KINDS: dict[EngineName, Kind] = {
    "onnxruntime": Kind(_open_onnxruntime, ".onnx", "pip install onnxruntime"),
    "openvino": Kind(_open_openvino, ".onnx", "pip install openvino"),
    "torch": Kind(_open_torch, ".safetensors", "pip install -r requirements.txt"),
}


@contextmanager
def opened(
    path: Path, name: EngineName = "onnxruntime", settings: EngineSettings | None = None
) -> Iterator[LoadedEngine]:
    """`open_engine`, closed at the end."""
    engine = open_engine(path, name, settings)
    try:
        yield engine
    finally:
        engine.close()


def open_engine(
    path: Path, name: EngineName = "onnxruntime", settings: EngineSettings | None = None
) -> LoadedEngine:
    """Load a model into an engine.

    Args:
        path: An exported .onnx file; for torch the .safetensors file of the weights, with its .json
            and operating_point.json beside it.

    Raises:
        ValueError: There is no such engine.
        ModelFileError: The file is not what the engine runs, is missing, damaged or not ours.
        PackagesError: A package or a provider that the engine needs is not installed.
    """
    if name not in KINDS:
        known = ", ".join(get_args(EngineName))
        raise ValueError(f"there is no engine {name!r}; expected one of {known}")
    refuse_other_file(path, name)
    try:
        return KINDS[name].open(path, settings or EngineSettings())
    except ModuleNotFoundError as error:
        raise PackagesError(
            f"the engine {name} needs the package {error.name}, which is not installed: "
            f"`{KINDS[name].install}`, or choose another engine"
        ) from error


def refuse_other_file(path: Path, name: EngineName) -> None:
    """Raises: ModelFileError: The file is for another engine, or it is not there."""
    others = [other for other, kind in KINDS.items() if kind.suffix == path.suffix]
    if others and name not in others:
        raise ModelFileError(
            f"the engine {name} runs {KINDS[name].suffix} files, not {path.name!r}; "
            f"that file runs with {' or '.join(others)}"
        )
    if not path.is_file():
        raise ModelFileError(
            f"{path}: no such file; run the pipeline first, or name the model that you have"
        )
