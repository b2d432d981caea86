"""`defectseg storage start | stop | status | check`: a project in, the state of its storage out."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from defectseg.commands.failing import explain_failure
from defectseg.errors import SHOWN, StorageError
from defectseg.storage.folder import StorageFolder, is_locked, make_folder
from defectseg.storage.objects import ObjectCheck, check_objects, remove_damaged
from defectseg.storage.reach import reach_storage
from defectseg.storage.remote import find_project, forget, point_at, read_remote
from defectseg.storage.request import endpoint_of, make_bucket
from defectseg.storage.server import read_record, start_server, stop_server

PLACE = ".storage"  # below the project
MEGABYTE = 10**6
Folder = Annotated[Path | None, typer.Option(help=f"The storage's folder; else {PLACE}.")]


def start(
    folder: Folder = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 = any that is free.")
    ] = None,
) -> None:
    """Start a storage on this machine, unless it runs, and let this clone's DVC use it."""
    with explain_failure():
        project = find_project(Path())
        remote = read_remote(project)
        place = make_folder(folder or project / PLACE)
        running = start_server(place, port)
        if not make_bucket(running.record.port, running.keys, remote.bucket):
            raise StorageError(
                f"the bucket {remote.bucket} cannot be made in {place.objects}: is the disk full?"
            )
        endpoint = endpoint_of(running.record.port)
        point_at(project, endpoint, running.keys, place.client)
    for note in running.notes:
        typer.echo(f"storage: {note}")
    state = "started" if running.is_new else "already running"
    typer.echo(f"storage: {state}: {remote.url} at {endpoint}, kept in {place.root}")


def stop(
    folder: Folder = None,
    is_forgotten: Annotated[
        bool, typer.Option("--forget", help="Take address and keys out of .dvc/config.local.")
    ] = False,
) -> None:
    """Stop the storage of this machine; its objects stay."""
    with explain_failure():
        project = find_project(Path())
        place = StorageFolder((folder or project / PLACE).absolute())
        was_running = stop_server(place)
        if is_forgotten:
            forget(project)
    typer.echo(f"storage: {'stopped' if was_running else 'was not running'}: {place.root}")


def status(folder: Folder = None) -> None:
    """Say whether the storage can be used, by one request as DVC sends it, and if not, why."""
    with explain_failure():
        project = find_project(Path())
        place = StorageFolder((folder or project / PLACE).absolute())
        for line in describe_server(place):
            typer.echo(f"storage: {line}")
        remote = reach_storage(project)
    typer.echo(f"storage: {remote.url} answers{f' at {remote.endpoint}' * bool(remote.endpoint)}")


def check(
    is_removed: Annotated[
        bool, typer.Option("--remove", help="Remove what is damaged, for `dvc push` to put back.")
    ] = False,
) -> None:
    """Read every object of the storage, and say which are damaged or missing."""
    with explain_failure():
        project = find_project(Path())
        found = check_objects(project)
        for line in describe_check(found):
            typer.echo(f"storage: {line}")
        if is_removed:
            typer.echo(f"storage: removed {remove_damaged(project, found)} objects")
    if found.is_sound:
        return
    typer.echo("storage: `dvc push --all-commits` where the cache has them puts them back")
    if not is_removed:
        typer.echo("error: the storage is damaged; `defectseg storage check --remove`", err=True)
        raise typer.Exit(1)


def describe_server(place: StorageFolder) -> list[str]:
    """What a person wants to know of the storage on this machine; nothing where there is none."""
    if not place.root.exists():
        return []
    free = shutil.disk_usage(place.root).free // MEGABYTE
    if not is_locked(place):
        return [f"no server runs on {place.root} ({free} MB free); `make storage` starts one"]
    record = read_record(place)
    who = f"process {record.pid}, port {record.port}" if record else "a process without record"
    return [f"a server runs on {place.root} ({free} MB free): {who}"]


def describe_check(found: ObjectCheck) -> list[str]:
    """How many objects there are, and the names of those that are not as they should be."""
    lines = [f"checked {found.checked} objects"]
    for state, names in (("damaged", found.damaged), ("missing", found.missing)):
        lines += [f"{state}: {name}" for name in names[:SHOWN]]
        if len(names) > SHOWN:
            lines.append(f"{state}: … and {len(names) - SHOWN} more")
    return lines
