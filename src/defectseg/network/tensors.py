"""Named tensors in, a .safetensors file out."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from defectseg.files import replace_atomically


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write them from any device and in any layout, replacing a file before in one step."""
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replace_atomically(path) as staging:
        save_file(whole, staging, metadata=metadata)
