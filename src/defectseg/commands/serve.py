"""`defectseg serve`: settings in, a service that looks at pictures over HTTP out."""

import signal
from importlib import import_module
from inspect import Parameter, Signature
from types import UnionType
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import typer

from defectseg.commands.failing import explain_failure
from defectseg.errors import PackagesError

WRONG = 2  # exit status
INSTALL = "pip install 'defectseg[service]'"
SETTINGS = "defectseg.service.given_settings"  # by name: the rest needs no service
SERVER = "defectseg.service.server"
KINDS: Final = {"int": "WHOLE NUMBER", "float": "NUMBER", "bool": "BOOLEAN", "Path": "FILE"}


def serve(**given: Any) -> None:
    """Serve the model: post a picture to /v1/analyze, or open the page in a browser.

    Each setting is a flag or the environment variable named with it; a flag wins.

    SIGTERM ends it once what is at work is answered; SIGHUP loads the model again. Exits with 0
    after SIGTERM, 1 if it cannot start, 2 if a setting is wrong.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the server can do what it asks for
    with explain_failure(status=WRONG):
        settings = load_part(SETTINGS).read_settings(
            {name: value for name, value in given.items() if value is not None}
        )
        raise typer.Exit(load_part(SERVER).run(settings))


def load_part(module: str) -> Any:
    """Import a part of the service.

    Raises:
        typer.Exit: A package that only the service needs is not installed; says so.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        with explain_failure(status=1):
            raise PackagesError(
                f"the service needs the package {error.name}, which is not installed: {INSTALL}"
            ) from error


def list_options() -> list[Parameter]:
    """One option for each setting; none where the service is not installed."""
    try:
        given = import_module(SETTINGS)
    except ModuleNotFoundError:
        return []
    options = []
    for name, field in given.Settings.model_fields.items():
        is_switch = field.annotation is bool
        flag = given.flag_of(name)
        default = "none" if field.default in (None, ()) else field.default
        option = typer.Option(
            f"{flag}/--no-{flag[2:]}" if is_switch else flag,
            metavar=None if is_switch else name_kind(field.annotation),
            help=f"{field.description} ({given.variable_of(name)}; default {default})",
            show_default=False,
        )
        annotation = Annotated[bool | None if is_switch else str | None, option]  # type: ignore[valid-type]
        options.append(Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation))
    return options


def name_kind(annotation: Any) -> str:
    """What a value of a type looks like, for people."""
    if get_origin(annotation) is Literal:
        return "|".join(get_args(annotation))
    if isinstance(annotation, UnionType):
        annotation = get_args(annotation)[0]
    return KINDS.get(getattr(annotation, "__name__", ""), "TEXT")


serve.__signature__ = Signature(list_options())  # type: ignore[attr-defined]
