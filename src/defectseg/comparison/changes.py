"""Two revisions in, what changed between them besides the scores out: params, data, code."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defectseg.comparison.scores import PARAMS, read_params_of
from defectseg.data.audit.diff import DataDiff, diff_tiles
from defectseg.data.audit.versions import WORKSPACE, TileVersion, open_version
from defectseg.errors import DataError
from defectseg.experiments.folds import flatten
from defectseg.revisions.revision import Revision

TILES = "data/tiles"
LAST = "export"  # the stage that says nothing about the metrics
ABSENT = "–"
EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


@dataclass(frozen=True)
class Changes:
    """What may explain a difference of the scores."""

    params: tuple[tuple[str, str, str], ...]  # dotted key, at base, at head
    data: DataDiff | None  # None: the same tiles, or they cannot be read
    data_note: str  # why the tiles cannot be compared; empty where they can
    code: tuple[tuple[str, tuple[str, ...]], ...]  # file that is no out, the stages that read it
    stale: tuple[str, ...]  # sentences: metrics that are of other params than the revision has


def find_changes(base: Revision, head: Revision) -> Changes:
    """Compare two revisions by their params, their tiles and the deps in dvc.lock.

    Raises:
        ComparisonError: A params.yaml is no YAML.
        RevisionError: A dvc.lock is damaged.
    """
    params = read_params_of(base), read_params_of(head)
    data, note = _diff_data(base, head)
    return Changes(
        params=tuple(_changed_params(*params)),
        data=data,
        data_note=note,
        code=tuple(_changed_code(base, head)),
        stale=tuple(
            sentence
            for revision, known in zip((base, head), params, strict=True)
            for sentence in _find_stale(revision, known)
        ),
    )


def open_tiles(revision: Revision) -> TileVersion:
    """The tiles of a revision, whose files are read one by one.

    Raises:
        DataError: They cannot be read.
    """
    if revision.commit is None:
        return open_version(WORKSPACE, revision.root / TILES)
    return open_version(revision.commit, Path(TILES))


@contextmanager
def explain_storage() -> Iterator[None]:
    """Turn what the client of the storage raises, which is no error of DVC's, into a DataError."""
    from botocore.exceptions import (  # type: ignore[import-untyped]  # takes half a second
        BotoCoreError,
        ClientError,
    )

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise DataError(f"the storage does not give it: {error}") from error


def _diff_data(base: Revision, head: Revision) -> tuple[DataDiff | None, str]:
    locked = base.lock.out(TILES), head.lock.out(TILES)
    if not all(locked):
        return None, "" if locked == (None, None) else "one of them has no tiles in dvc.lock"
    if locked[0] and locked[1] and locked[0].md5 == locked[1].md5:
        return None, ""
    try:
        with explain_storage():
            return diff_tiles(open_tiles(base), open_tiles(head)), ""
    except DataError as error:
        return None, f"the tiles differ, but cannot be compared: {error}"


def _changed_params(
    base: Mapping[str, Any], head: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    for key in sorted({*base, *head}):
        before, after = (_show(each, key) for each in (base, head))
        if before != after:
            yield key, before, after


def to_number(value: Any) -> Any:
    """A number where it is one: PyYAML reads `1e-06`, as DVC writes it, as text."""
    is_number = isinstance(value, str) and EXPONENT.fullmatch(value)
    return float(value) if is_number else value


def _show(params: Mapping[str, Any], key: str) -> str:
    if key not in params:
        return ABSENT
    return json.dumps(to_number(params[key]), default=str, ensure_ascii=False)


def _changed_code(base: Revision, head: Revision) -> Iterator[tuple[str, tuple[str, ...]]]:
    readers: dict[str, list[str]] = {}
    for stage in head.lock.stages.keys() & base.lock.stages.keys():
        before, after = (
            {dep.path: dep.md5 for dep in revision.lock.stages[stage].deps}
            for revision in (base, head)
        )
        for path in {*before, *after}:
            if before.get(path) != after.get(path) and not _is_out(path, base, head):
                readers.setdefault(path, []).append(stage)
    yield from ((path, tuple(sorted(stages))) for path, stages in sorted(readers.items()))


def _is_out(path: str, base: Revision, head: Revision) -> bool:
    """Whether a stage writes it; requirements.txt is written too, but says what was installed."""
    is_written = any(revision.lock.out(path) is not None for revision in (base, head))
    return is_written and path != "requirements.txt"


def _find_stale(revision: Revision, params: Mapping[str, Any]) -> Iterator[str]:
    ran: dict[str, Any] = {}
    for name, stage in revision.lock.stages.items():
        if name != LAST:
            ran |= flatten(dict(stage.params.get(PARAMS, {})))
    differing = sorted(
        key for key, value in ran.items() if to_number(params.get(key)) != to_number(value)
    )
    if differing:
        yield (
            f"The metrics of {revision.name} are of other params than its {PARAMS} has "
            f"({', '.join(differing[:10])}): `dvc repro` has not run since."
        )
