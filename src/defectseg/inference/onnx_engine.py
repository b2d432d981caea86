"""The ONNX Runtime engine: pictures in, probabilities and masks out, from the file alone."""

import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import onnxruntime

from defectseg.errors import ModelFileError, PackagesError
from defectseg.inference.batch import refuse_wrong_batch
from defectseg.inference.engine import Output
from defectseg.inference.engine_settings import EngineSettings, Provider
from defectseg.inference.model_facts import ADVICE, ModelFacts, read_facts

CPU = "CPUExecutionProvider"
GPUS: dict[Provider, str] = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
}

AUTO = ("CUDAExecutionProvider",)  # TensorRT builds an engine for each picture size: only if asked
MAX_BYTES = 2**31 - 1  # of a file: protobuf, and so ONNX, ends there
NOWHERE = f"{os.devnull}/none"  # below what is no folder: never there
FREE = None  # a side that the graph leaves open
Signature = tuple[str, tuple[int | None, ...]]  # element type and shape of a tensor


class OnnxEngine:
    """Runs models/unet.onnx; needs neither torch nor the training packages.

    Several threads may call `run` at once.
    """

    def __init__(
        self,
        path: Path,
        threads: int = 0,
        spin: bool = False,
        provider: Provider = "auto",
        content: bytes | None = None,
    ) -> None:
        """Args: as in `EngineSettings`, and these.

        Args:
            content: The bytes of the file where the caller has read them; they are not kept.

        Raises:
            ModelFileError: The file is missing or no graph, not our export, or not in one piece.
            PackagesError: The provider that was asked for is not usable here.
        """
        settings = EngineSettings(threads, spin, provider)
        if content is None:
            content = read_model(path)
        self._session: Any = _open(path, content, settings)
        try:
            self.facts: ModelFacts = read_facts(self._session.get_modelmeta().custom_metadata_map)
            refuse_other_graph(self._session, self.facts)
        except (ModelFileError, UnicodeDecodeError) as error:  # damaged names and metadata
            raise ModelFileError(f"{path}: {error}") from error
        self.provider = self._session.get_providers()[0].removesuffix("ExecutionProvider")
        self.name = f"ONNX Runtime {onnxruntime.__version__}, {self.provider}"

    def run(self, pictures: npt.NDArray[np.uint8], stop: Any = None) -> Output:
        """See `Engine.run`.

        Args:
            stop: An `onnxruntime.RunOptions`; when another thread sets its `terminate` to True,
                the run ends with an exception of ONNX Runtime within an operator's time.

        Raises:
            ValueError: The pictures are not as the model takes them, or the engine is closed.
        """
        session = self._session
        if session is None:
            raise ValueError("the engine is closed; open it again")
        refuse_wrong_batch(pictures, self.facts.channels)
        probability, mask = session.run(["probability", "mask"], {"pictures": pictures}, stop)
        return Output(np.asarray(probability), np.asarray(mask))

    def close(self) -> None:
        """Give the memory and the threads back once no `run` needs them any more."""
        self._session = None


def read_model(path: Path) -> bytes:
    """Read a whole model file once; never wait, whatever lies in its place.

    Raises:
        ModelFileError: It is missing, no plain file, too large, or being written.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            return read_plain(file)
    except (OSError, ValueError) as error:
        raise ModelFileError(f"cannot read {path}: {error}; expected a whole model file") from error


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe nobody writes would wait


def read_plain(file: BinaryIO) -> bytes:
    """Raises: ValueError: It is no plain file, too large, or it changes meanwhile."""
    before = os.fstat(file.fileno())
    if not stat.S_ISREG(before.st_mode):
        raise ValueError("it is no plain file")
    if before.st_size > MAX_BYTES:
        raise ValueError(f"it has {before.st_size} bytes, more than any ONNX file can have")
    content = file.read(before.st_size)
    after = os.fstat(file.fileno())
    if (after.st_mtime_ns, after.st_size) != (before.st_mtime_ns, len(content)):
        raise ValueError("it changed while it was read")
    return content


def _open(path: Path, content: bytes, settings: EngineSettings) -> Any:
    wanted = choose_providers(settings.provider, onnxruntime.get_available_providers())
    try:
        session = _open_session(content, settings, wanted)
    except Exception as error:
        if settings.provider == "auto" and wanted != [CPU]:
            return _open(path, content, replace(settings, provider="cpu"))
        raise ModelFileError(f"ONNX Runtime cannot load {path}: {error}") from error
    if settings.provider != "auto":
        refuse_fallback(wanted[0], session.get_providers())
    return session


def _open_session(content: bytes, settings: EngineSettings, providers: list[str]) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.count_threads()
    spin = "1" if settings.spin else "0"
    options.add_session_config_entry("session.intra_op.allow_spinning", spin)
    options.add_session_config_entry("session.inter_op.allow_spinning", spin)
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # A graph may name other files that hold its weights: where it then looks there are none.
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", NOWHERE
    )
    options.enable_mem_pattern = False  # it would keep a plan for every picture size it ever saw
    options.log_severity_level = 4  # an error is raised as well
    session = onnxruntime.InferenceSession(content, options, providers, enable_fallback=0)
    session._model_bytes = None  # the wrapper keeps them only for the fallback
    return session


def refuse_other_graph(session: Any, facts: ModelFacts) -> None:
    """Raises: ModelFileError: The graph does not take or give what our export does."""
    batch = (FREE, FREE, FREE)  # N, H, W
    count = 1 + len(facts.classes)
    _refuse(
        "input", session.get_inputs(), {"pictures": ("tensor(uint8)", (*batch, facts.channels))}
    )
    _refuse(
        "output",
        session.get_outputs(),
        {
            "probability": ("tensor(float)", (FREE, count, FREE, FREE)),
            "mask": ("tensor(uint8)", batch),
        },
    )


def _refuse(kind: str, found: Sequence[Any], expected: dict[str, Signature]) -> None:
    names = [value.name for value in found]
    if sorted(names) != sorted(expected):
        raise ModelFileError(
            f"the graph has {kind} {', '.join(names)}; expected {', '.join(expected)}; {ADVICE}"
        )
    for value in found:
        element, shape = expected[value.name]
        if value.type != element or not _fits(value.shape, shape):
            wanted = "×".join("free" if side is FREE else str(side) for side in shape)
            raise ModelFileError(
                f"the graph's {kind} {value.name} is {value.type} {value.shape}; "
                f"expected {element} {wanted}; {ADVICE}"
            )


def _fits(shape: Sequence[int | str | None], expected: Sequence[int | None]) -> bool:
    """A side without a number fits everything: the graph finds it out as it runs."""
    return len(shape) == len(expected) and all(
        not isinstance(side, int) or side == wanted
        for side, wanted in zip(shape, expected, strict=True)
    )


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
