"""Which code ran: a digest of the modules in use, and the version of the package.

A git revision in a model file would make the same inputs give other bytes after every commit, and
a clone could never reproduce them. The digest names the code itself; the commit that has it is the
one whose dvc.lock names the model's hash (`git log -S<hash> -- dvc.lock`).
"""

import hashlib
import sys
from importlib.metadata import version
from pathlib import Path

PACKAGE = "defectseg"


def code_digest() -> str:
    """sha256 over the names and bytes of the modules of this package that are imported by now."""
    digest = hashlib.sha256()
    for name, module in sorted(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if name.split(".")[0] == PACKAGE and path:
            content = Path(path).read_bytes()
            digest.update(f"{name}:{hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()


def package_version() -> str:
    """Such as 0.1.0."""
    return version(PACKAGE)
