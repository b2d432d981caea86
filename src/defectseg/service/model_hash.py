"""The bytes of a model file in, their SHA-256 out, if it is the one that was promised.

The promise: DEFECTSEG_MODEL_SHA256, else a file `<model>.sha256` beside it as sha256sum writes it.
"""

import hashlib
import re
from pathlib import Path

from defectseg.errors import ModelFileError

PROMISE = ".sha256"  # added to the name of the model file
LINE = re.compile(r"\\?([0-9a-fA-F]{64})(?: [ *](.+))?")  # hash, then ` ` text or `*` binary, name
MAX_BYTES = 64 * 1024  # of such a file
ADVICE = "write it by `sha256sum NAME > NAME.sha256` in the folder of the model, or remove it"


def check_hash(path: Path, content: bytes, pinned: str | None) -> str:
    """Hash the content of a model file.

    Args:
        pinned: The hash that it must have, in lower case; None asks the file beside it.

    Returns:
        64 hexadecimal digits in lower case.

    Raises:
        ModelFileError: It is another one, or the file beside it does not say.
    """
    found = hashlib.sha256(content).hexdigest()
    where = "DEFECTSEG_MODEL_SHA256" if pinned else promise_path(path).name
    expected = pinned or read_promise(path)
    if expected not in (None, found):
        raise ModelFileError(
            f"{path} has the SHA-256 {found}, but {where} says {expected}; "
            "put the right file there, or the right hash"
        )
    return found


def promise_path(path: Path) -> Path:
    """The file that may tell a model's hash: models/unet.onnx → models/unet.onnx.sha256."""
    return path.with_name(path.name + PROMISE)


def read_promise(path: Path) -> str | None:
    """The hash in the file beside a model; None where there is no such file.

    Raises:
        ModelFileError: There is one, but it has no hash of this model.
    """
    beside = promise_path(path)
    if not beside.exists():
        return None
    if not beside.is_file() or beside.stat().st_size > MAX_BYTES:
        raise ModelFileError(f"{beside} is no file with a hash; {ADVICE}")
    try:
        lines = beside.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{beside} cannot be read: {error}; {ADVICE}") from error
    for match in filter(None, map(LINE.fullmatch, lines)):
        if match[2] in (None, path.name):
            return match[1].lower()
    raise ModelFileError(f"{beside} has no hash of {path.name}; {ADVICE}")
