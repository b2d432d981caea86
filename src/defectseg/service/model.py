"""The path of an exported model in, the model that is served out; another may take its place."""

import time
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from defectseg.errors import DefectsegError, ModelFileError
from defectseg.heap import trim_heap
from defectseg.inference.model_facts import ModelFacts
from defectseg.inference.onnx_engine import OnnxEngine, read_model
from defectseg.service.file_mark import FileMark, mark_file
from defectseg.service.model_hash import check_hash, promise_path
from defectseg.service.settings import Settings
from defectseg.service.threads_plan import plan_threads
from defectseg.service.warm_up import warm_up

Marks = tuple[FileMark | None, FileMark | None]  # of the model, of the file with its hash


@dataclass(frozen=True)
class ServedModel:
    """A model that is ready: verified and warm."""

    engine: OnnxEngine
    name: str  # of the file, without its ending
    sha256: str  # of the bytes that run
    loaded_at: float  # Unix time, s: for people, never for durations

    @property
    def facts(self) -> ModelFacts:
        """What the file says about itself."""
        return self.engine.facts


def load_model(path: Path, settings: Settings) -> ServedModel:
    """Read a model file once, check that it is the promised one, open it and warm it up.

    Raises:
        ModelFileError: It is missing, damaged, another one than promised, or no export of ours.
        PackagesError: The provider that was asked for is not usable here.
    """
    content = read_model(path)
    sha256 = check_hash(path, content, settings.model_sha256)
    threads = plan_threads(settings).threads
    engine = OnnxEngine(path, threads, settings.spin, settings.provider, content)
    del content  # before the runs: it may be large
    try:
        warm_up(engine, settings.batch_size)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error
    return ServedModel(engine, path.stem, sha256, time.time())


class ModelHolder:
    """Has the model that new requests use; a request keeps the one that it began with."""

    def __init__(self, path: Path, settings: Settings) -> None:
        """Load the first one; raises as `load_model` does."""
        self.path = path
        self._settings = settings
        self._one_at_a_time = Lock()
        self._tried = self.look()
        self._current = load_model(path, settings)
        trim_heap()

    @property
    def current(self) -> ServedModel:
        """The newest model that could be loaded."""
        return self._current

    @property
    def tried(self) -> Marks:
        """What `look` said just before the last load, whether that went well or not."""
        return self._tried

    def look(self) -> Marks:
        """What tells whether the file, or the file with its hash, is another one by now."""
        return mark_file(self.path), mark_file(promise_path(self.path))

    def reload(self) -> ServedModel:
        """Load the file again and serve that; takes a second: never call it in the event loop.

        Several calls wait for each other. The earlier engine goes when its last run has ended.

        Raises:
            ModelFileError: It cannot be served; the earlier model goes on.
            PackagesError: The provider that was asked for is not usable any more; likewise.
        """
        with self._one_at_a_time:
            self._tried = self.look()
            try:
                self._current = model = load_model(self.path, self._settings)
            except DefectsegError:
                raise
            except Exception as error:  # such as MemoryError
                raise ModelFileError(f"{self.path} cannot be loaded: {error!r}") from error
            finally:
                trim_heap()
        return model
