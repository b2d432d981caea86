"""Flags and environment variables in, checked settings out; or every fault of theirs at once."""

import difflib
import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from defectseg.errors import DefectsegError
from defectseg.service.settings import Settings

PREFIX: Final = "DEFECTSEG_"
LONGEST = 80  # characters of a value that is shown
WORDS: Final = (
    ("Input should be ", ""),
    ("Value error, ", ""),
    ("String should match pattern ", "text that matches "),
    ("String should have ", "text with "),
    ("Value should have ", "text with "),
    (" items after validation", " characters"),
    ("a valid tuple", "a list as JSON"),
)


class SettingsError(DefectsegError):
    """Some settings cannot be used; the message has a line for each."""


def read_settings(flags: Mapping[str, Any]) -> Settings:
    """Check what is given; a flag wins over the environment variable of the same setting.

    Args:
        flags: Value by the name of the setting; only those that are given.

    Raises:
        SettingsError: Some values are wrong, or there is a variable DEFECTSEG_* of no meaning.
    """
    faults = [describe_unknown(name) for name in find_unknown(os.environ)]
    try:
        settings = Settings(**flags)
    except ValidationError as error:
        faults += [describe_fault(dict(fault), flags) for fault in error.errors()]
    if faults:
        count = "a setting" if len(faults) == 1 else f"{len(faults)} settings"
        lines = [f"{count} cannot be used:", *(f"  {fault}" for fault in faults)]
        raise SettingsError("\n".join([*lines, "`defectseg serve --help` lists all of them"]))
    return settings


def find_unknown(environment: Mapping[str, str]) -> Iterator[str]:
    """Variables that look as if they were meant for us."""
    known = {variable_of(name) for name in Settings.model_fields}
    for name in sorted(environment):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            yield name


def describe_unknown(variable: str) -> str:
    """Name the one that was probably meant."""
    near = difflib.get_close_matches(variable[len(PREFIX) :].lower(), Settings.model_fields, n=1)
    hint = f"; is {variable_of(near[0])} meant?" if near else ""
    return f"{variable}: there is no such setting{hint}"


def describe_fault(fault: Mapping[str, Any], flags: Mapping[str, Any]) -> str:
    """Say what came and what was expected; a secret stays one."""
    name = str(fault["loc"][0])
    given = flag_of(name) if name in flags else variable_of(name)
    expected = str(fault["msg"])
    for theirs, ours in WORDS:
        expected = expected.replace(theirs, ours)
    shown = repr(fault["input"])
    if is_secret(Settings.model_fields[name]):
        shown = f"a secret of {len(str(fault['input']))} characters"
    elif len(shown) > LONGEST:
        shown = f"{shown[:LONGEST]}…"
    return f"{given} is {shown}; expected {expected}"


def is_secret(field: FieldInfo) -> bool:
    """Whether its value may be shown to nobody."""
    return SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ()))


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def flag_of(name: str) -> str:
    """The flag of a setting."""
    return f"--{name.replace('_', '-')}"
