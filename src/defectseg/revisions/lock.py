"""The text of a dvc.lock in, the stages that it names and the hashes of their files out."""

from collections.abc import Mapping
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from defectseg.errors import RevisionError
from defectseg.params import describe_faults

LOCK = "dvc.lock"


class LockedFile(BaseModel):
    """A file or a folder that a stage read or wrote."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}(\.dir)?$")]
    size: int | None = None  # bytes
    nfiles: int | None = None  # of a folder

    @property
    def is_folder(self) -> bool:
        """Its md5 is that of a list of its files, as DVC writes it."""
        return self.md5.endswith(".dir")


class LockedStage(BaseModel):
    """What a stage read and wrote when it ran last."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cmd: str
    deps: tuple[LockedFile, ...] = ()
    params: Mapping[str, Mapping[str, Any]] = {}  # file → section or key → value
    outs: tuple[LockedFile, ...] = ()


class Lock(BaseModel):
    """A whole dvc.lock."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    stages: Mapping[str, LockedStage] = {}

    def out(self, path: str) -> LockedFile | None:
        """The out of that path, whichever stage has it."""
        found = (out for stage in self.stages.values() for out in stage.outs if out.path == path)
        return next(found, None)


def parse_lock(text: str, name: str) -> Lock:
    """Read a dvc.lock.

    Args:
        name: What a person calls the revision that has it.

    Raises:
        RevisionError: It is no dvc.lock.
    """
    try:
        return Lock.model_validate(yaml.safe_load(text) or {})
    except (yaml.YAMLError, ValidationError, RecursionError) as error:
        fault = describe_faults(LOCK, error) if isinstance(error, ValidationError) else error
        raise RevisionError(
            f"the {LOCK} of {name} is damaged: {fault}; `dvc repro` writes it anew"
        ) from error
