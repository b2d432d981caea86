"""params.yaml in, one checked section out: each library module describes its own section."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from defectseg.errors import ParamsError

PARAMS = Path("params.yaml")


class Section(BaseModel):
    """One section of params.yaml: frozen, and a misspelt key is an error, not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


SectionT = TypeVar("SectionT", bound=Section)


def read_params(section: str, kind: type[SectionT], path: Path = PARAMS) -> SectionT:
    """Read one section of a params file.

    Raises:
        ParamsError: The file or the section is missing or wrong; names every fault at once.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ParamsError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(content, dict) or section not in content:
        known = ", ".join(content) if isinstance(content, dict) else "none"
        raise ParamsError(f"{path} has no section {section!r}; sections found: {known}")
    try:
        return kind.model_validate(content[section])
    except ValidationError as error:
        raise ParamsError(f"{path}: {describe_faults(section, error)}") from error


def describe_faults(section: str, error: ValidationError) -> str:
    """Every fault of a section in one line, such as `data_split.folds: Field required; …`."""
    faults = []
    for fault in error.errors():
        key = ".".join([section, *(str(part) for part in fault["loc"])])
        came = (
            "" if fault["type"] in {"missing", "extra_forbidden"} else f" (got {fault['input']!r})"
        )
        faults.append(f"{key}: {fault['msg']}{came}")
    return "; ".join(faults)
