"""A project with a remote in a folder, and further models of it that are made in seconds.

Another model is the same graph with another word in its metadata; `dvc commit` takes it up as what
the stage export wrote. So tests need not train and export a second time.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import onnx

from ran_project import Clone, copy_project

MODEL, EXPORT = "models/unet.onnx", "metrics/export.json"
EVALUATION, GATES, PER_IMAGE = (
    "metrics/evaluate.json",
    "metrics/gates.json",
    "metrics/per_image.csv",
)


def release_project(ran: Clone, folder: Path) -> Clone:
    """A copy of a project that has run, with a cache of its own and everything in a remote."""
    clone = copy_project(ran, folder / "project", has_own_cache=True)
    use_remote(clone, folder / "remote")
    clone.out_of("dvc", "push", "--quiet")
    return clone


def use_remote(clone: Clone, remote: Path) -> None:
    """Make a folder the remote of a clone, for nobody else."""
    clone.out_of("dvc", "remote", "add", "--local", "--default", "--force", "folder", str(remote))


def clone_of(clone: Clone, folder: Path) -> Clone:
    """Another clone of a project, with the same remote and an empty cache."""
    other = Clone(folder, clone.environment)
    folder.mkdir()
    other.out_of("git", "clone", "--quiet", str(clone.folder), ".")
    use_remote(other, clone.folder.parent / "remote")
    return other


def commit_model(clone: Clone, word: str) -> str:
    """Commit another model; its commit."""
    path = clone.folder / MODEL
    model = onnx.load(str(path))
    version = next(one for one in model.metadata_props if one.key == "package_version")
    version.value = word
    path.unlink()
    onnx.save(model, str(path))
    exported = clone.json_of(EXPORT)
    exported["files"]["fp32"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    write_json(clone, EXPORT, exported)
    return commit_outs(clone, "export", f"Export {word}")


def commit_outs(clone: Clone, stage: str, message: str) -> str:
    """Take the files that lie there for what a stage wrote, push and commit them; the commit."""
    clone.out_of("dvc", "commit", "--quiet", "--force", stage)
    clone.out_of("dvc", "push", "--quiet")
    clone.out_of("git", "commit", "--quiet", "--all", "-m", message)
    return clone.out_of("git", "rev-parse", "HEAD").strip()


def write_json(clone: Clone, path: str, content: Any) -> None:
    """Write a JSON file as the stages do; a link into the cache is replaced, not followed."""
    (clone.folder / path).unlink()
    (clone.folder / path).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
