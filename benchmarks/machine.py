"""Nothing in, the facts of this machine and its software out, ready for JSON."""

import platform
from importlib.metadata import version
from typing import Any

from defectseg.machine import describe_hardware


def describe_machine() -> dict[str, Any]:
    """Name the processor, what of it may be used, and the software between it and us."""
    from defectseg.determinism import bfloat16_pays  # torch is large: see benchmarks/pipeline.py

    import torch  # isort: skip

    return {
        **describe_hardware(),
        "bfloat16_in_hardware": bfloat16_pays(torch.device("cpu")),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "fastai", "dvc")},
    }
