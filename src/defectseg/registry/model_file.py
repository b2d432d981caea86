"""A revision in, its models/unet.onnx as a file out: every hash that it has is compared.

dvc.lock has its MD5, metrics/export.json its SHA-256, and its metadata the SHA-256 of the weights
that it was made of.
"""

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defectseg.errors import ModelFileError, RegistryError, RevisionError
from defectseg.files import replace_atomically, write_atomically
from defectseg.inference.model_facts import ModelFacts, read_facts
from defectseg.revisions.lock import LOCK, LockedFile
from defectseg.revisions.revision import Revision
from defectseg.service.model_hash import promise_path

MODEL = "models/unet.onnx"
WEIGHTS = "models/unet.safetensors"
EXPORT = "metrics/export.json"  # git has it: the SHA-256 of what was exported
PUSH = "push it by `dvc push` from where it was made"


@dataclass(frozen=True)
class ModelFile:
    """A model file whose hashes are right."""

    path: Path
    sha256: str
    md5: str  # by which DVC knows it
    size: int  # bytes
    facts: ModelFacts


def locked_model(revision: Revision) -> LockedFile:
    """What dvc.lock says of the model.

    Raises:
        RegistryError: It has none.
    """
    locked = revision.lock.out(MODEL)
    if locked is None:
        raise RegistryError(
            f"the {LOCK} of {revision.name} has no {MODEL}: that commit exports no model; "
            "`dvc repro`, then commit what it wrote"
        )
    return locked


def fetch_checked(revision: Revision, folder: Path) -> ModelFile:
    """Fetch the model below a folder, and compare it with all that is known of it.

    Raises:
        RegistryError: It cannot be had, or is not what the commit says.
    """
    locked = locked_model(revision)
    try:
        path = revision.fetch(MODEL, folder)
    except RevisionError as error:
        raise RegistryError(str(error)) from error
    if path is None:
        raise RegistryError(f"{revision.name} has no {MODEL}")
    sha256 = sha256_of(path)
    promised = promised_sha256(revision)
    if promised not in (None, sha256):
        raise RegistryError(
            f"{MODEL} at {revision.name} has the SHA-256 {sha256}, but {EXPORT} says {promised}: "
            f"the two are of two runs; `dvc repro` writes both anew"
        )
    facts = read_file_facts(path, revision.name)
    refuse_other_weights(revision, facts, folder)
    return ModelFile(path, sha256, locked.md5, path.stat().st_size, facts)


def promised_sha256(revision: Revision) -> str | None:
    """What metrics/export.json says of the model; None where there is none.

    Raises:
        RegistryError: It is damaged.
    """
    text = revision.read(EXPORT)
    if text is None:
        return None
    try:
        return str(json.loads(text)["files"]["fp32"]["sha256"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise RegistryError(
            f"{EXPORT} of {revision.name} does not say the SHA-256 of {MODEL}: {error!r}; "
            "`dvc repro` writes it anew"
        ) from error


def read_file_facts(path: Path, name: str) -> ModelFacts:
    """The metadata of an ONNX file; its graph is not run.

    Raises:
        RegistryError: It is no export of ours.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load(str(path), load_external_data=False)
        return read_facts({entry.key: entry.value for entry in model.metadata_props})
    except (DecodeError, ModelFileError, ValueError) as error:
        raise RegistryError(f"{MODEL} at {name} is no model of ours: {error}") from error


def refuse_other_weights(revision: Revision, facts: ModelFacts, folder: Path) -> None:
    """Compare the weights that the model names with those of the commit, if these are at hand.

    Raises:
        RegistryError: They are others.
    """
    locked = revision.lock.out(WEIGHTS)
    if locked is None or not is_at_hand(revision, locked):
        return
    path = revision.fetch(WEIGHTS, folder)
    found = sha256_of(path) if path else facts.weights_sha256
    if found != facts.weights_sha256:
        raise RegistryError(
            f"{MODEL} at {revision.name} was made of the weights {facts.weights_sha256}, but "
            f"{WEIGHTS} there is {found}: the two are of two runs; `dvc repro`"
        )


def is_at_hand(revision: Revision, locked: LockedFile) -> bool:
    """Whether the cache on this machine has an out."""
    return bool(open_repo(revision.root).cache.local.exists(locked.md5.removesuffix(".dir")))


def refuse_unpushed(revision: Revision) -> None:
    """Refuse a model that only this machine has, unless there is no remote at all.

    Raises:
        RegistryError: The remote does not have it, or cannot be asked.
    """
    from dvc.config import NoRemoteError  # type: ignore[import-untyped]  # takes half a second
    from dvc.exceptions import DvcException  # type: ignore[import-untyped]

    locked = locked_model(revision)
    try:
        remote = open_repo(revision.root).cloud.get_remote_odb()
        is_there = remote.exists(locked.md5)
    except NoRemoteError:
        return
    except (DvcException, OSError, ValueError) as error:
        raise RegistryError(
            f"the storage cannot be asked for {MODEL}: {error}; start it (`make storage`) or see "
            "docs/operations.md"
        ) from error
    if not is_there:
        raise RegistryError(
            f"{MODEL} of {revision.name} is only on this machine: nobody else could fetch it; "
            f"{PUSH}"
        )


def open_repo(root: Path) -> Any:
    """DVC's repository; takes half a second."""
    from dvc.repo import Repo  # type: ignore[import-untyped]

    return Repo(str(root))


def save_model(revision: Revision, out: Path) -> ModelFile:
    """Put the model at a place with its hash beside it, as `defectseg serve` and sha256sum read it.

    A file that is there is replaced as a whole; where anything is wrong it stays as it is.

    Raises:
        RegistryError: See `fetch_checked`.
    """
    with tempfile.TemporaryDirectory(prefix="defectseg-") as work:
        found = fetch_checked(revision, Path(work))
        # Both are written before either takes its name: a full disk leaves both as they were.
        with write_atomically(promise_path(out)) as file, replace_atomically(out) as staging:
            file.write(f"{found.sha256}  {out.name}\n")
            shutil.copyfile(found.path, staging)
            if sha256_of(staging) != found.sha256:
                raise RegistryError(f"{out} was not written as it was read; is the disk damaged?")
    return ModelFile(out, found.sha256, found.md5, found.size, found.facts)


def sha256_of(path: Path) -> str:
    """The hash by which the service knows a model."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
