"""The settings of the service in, how many threads of each kind it starts out."""

from collections.abc import Sequence
from typing import NamedTuple

import onnxruntime

from defectseg.inference.engine_settings import Provider
from defectseg.inference.onnx_engine import CPU, choose_providers
from defectseg.inference.threads import count_threads
from defectseg.service.settings import Settings


class ThreadsPlan(NamedTuple):
    """Threads of one process; each at least 1."""

    workers: int  # inferences that run at the same time
    threads: int  # inside one inference
    decoders: int  # that decode and encode pictures


def plan_threads(settings: Settings) -> ThreadsPlan:
    """Fill in what the settings leave open, from the cores that the system gives this process.

    Raises:
        PackagesError: The provider that was asked for is not part of this ONNX Runtime.
    """
    present = onnxruntime.get_available_providers()
    return divide(settings, count_threads(), runs_on_gpu(settings.provider, present))


def divide(settings: Settings, cores: int, is_on_gpu: bool) -> ThreadsPlan:
    """The plan for so many cores.

    On a CPU one inference a core with one thread each does most work; a GPU runs one inference
    at a time, which has all cores for what the GPU cannot do.
    """
    workers = settings.workers or (1 if is_on_gpu else cores)
    threads = settings.threads or max(1, cores // workers)
    return ThreadsPlan(workers, threads, settings.decoders or cores)


def runs_on_gpu(provider: Provider, present: Sequence[str]) -> bool:
    """Whether a GPU comes first; `auto` takes the one that this ONNX Runtime was built for."""
    return choose_providers(provider, present)[0] != CPU
