"""The files of one state of the repository in, what of them dvc.lock does not know out.

The state may be what is staged, so that a commit is refused before it is made; `dvc status` sees
only what lies in the folder.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from defectseg.errors import RevisionError
from defectseg.revisions.dvc_text import read_mapping
from defectseg.revisions.lock import LOCK

PIPELINE, PARAMS = "dvc.yaml", "params.yaml"
Kind = Literal["stage", "command", "param", "file"]
Files = Callable[[Sequence[str]], Mapping[str, bytes]]  # paths → content of those that git tracks
ABSENT = object()


@dataclass(frozen=True)
class Mismatch:
    """One thing that is not as it was when a stage ran last."""

    stage: str
    kind: Kind
    what: str  # a key of params.yaml, the path of a file
    said: str  # such as `0.003, but train ran with 0.001`

    def describe(self) -> str:
        """Such as `train: train.learning_rate is 0.003, but it ran with 0.001`."""
        return f"{self.stage}: {self.what} {self.said}".rstrip()


def find_mismatches(read: Files) -> tuple[Mismatch, ...]:
    """Compare dvc.lock with dvc.yaml, params.yaml and every file that git tracks.

    Raises:
        RevisionError: One of the three is missing or damaged.
    """
    texts = read((PIPELINE, PARAMS, LOCK))
    missing = [path for path in (PIPELINE, PARAMS) if path not in texts]
    if missing:
        raise RevisionError(f"there is no {' and no '.join(missing)}; `git add` it")
    pipeline = _stages(read_mapping(texts[PIPELINE], PIPELINE), PIPELINE)
    locked = _stages(read_mapping(texts.get(LOCK, b""), LOCK), LOCK)
    params = read_mapping(texts[PARAMS], PARAMS)
    known = sorted({path for one in locked.values() for _, path, _ in list_files(one)})
    contents = read(known)
    hashes = {path: md5_of_text(content) for path, content in contents.items()}
    written = {
        path: md5 for one in locked.values() for kind, path, md5 in list_files(one) if kind == "out"
    }
    found: list[Mismatch] = []
    for name, stage in pipeline.items():
        if name not in locked:
            found.append(Mismatch(name, "stage", "", "never ran"))
            continue
        found += _compare_declared(name, stage, locked[name])
        found += _compare_params(name, stage, locked[name], params)
        found += _compare_files(name, locked[name], hashes, written)
    return tuple(found)


def _stages(content: Mapping[str, Any], name: str) -> Mapping[str, Mapping[str, Any]]:
    stages = content.get("stages") or {}
    if not isinstance(stages, dict) or not all(isinstance(one, dict) for one in stages.values()):
        raise RevisionError(f"{name} has no mapping of stages; repair it, or `dvc repro` anew")
    return stages


def _compare_declared(
    name: str, stage: Mapping[str, Any], locked: Mapping[str, Any]
) -> Iterator[Mismatch]:
    if stage.get("cmd") != locked.get("cmd"):
        yield Mismatch(name, "command", "its command", "is not the one that ran")
    for kind in ("dep", "out"):
        declared = {_path_of(one) for one in stage.get(f"{kind}s") or ()}
        had = {path for one, path, _ in list_files(locked) if one == kind}
        for path in sorted(declared ^ had):
            said = f"is a new {kind}" if path in declared else f"is no {kind} any more"
            yield Mismatch(name, "file", path, said)


def _compare_params(
    name: str, stage: Mapping[str, Any], locked: Mapping[str, Any], params: Mapping[str, Any]
) -> Iterator[Mismatch]:
    ran = look_up(locked, "params")
    ran = ran.get(PARAMS) if isinstance(ran, dict) else None
    for key in filter(lambda each: isinstance(each, str), stage.get("params") or ()):
        now, then = flatten(look_up(params, key), key), flatten(look_up(ran or {}, key), key)
        for each in {**now, **then}:
            if now.get(each, ABSENT) != then.get(each, ABSENT):
                said = f"{_show(now, each)}, but it ran with {_show(then, each)}"
                yield Mismatch(name, "param", each, f"is {said}")


def _compare_files(
    name: str,
    locked: Mapping[str, Any],
    hashes: Mapping[str, str],
    written: Mapping[str, str],
) -> Iterator[Mismatch]:
    for kind, path, md5 in list_files(locked):
        if hashes.get(path, md5) != md5:
            said = "has changed since it ran" if kind == "dep" else "is not what it wrote"
            yield Mismatch(name, "file", path, said)
        elif written.get(path, md5) != md5:
            yield Mismatch(name, "file", path, "is not the one that the stage before it wrote")


def list_files(locked: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """`dep` or `out`, path and MD5 of each file of a stage of dvc.lock.

    Whatever is no file is left out: then dvc.yaml declares more than there is.
    """
    for kind in ("dep", "out"):
        listed = locked.get(f"{kind}s")
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, dict) and isinstance(one.get("path"), str):
                yield kind, one["path"], str(one.get("md5"))


def _path_of(declared: Any) -> str:
    return str(next(iter(declared))) if isinstance(declared, dict) else str(declared)


def look_up(params: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key; `ABSENT` where there is none. A key may itself have dots."""
    if key in params:
        return params[key]
    value: Any = params
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            return ABSENT
        value = value[part]
    return value


def flatten(value: Any, key: str) -> dict[str, Any]:
    """Dotted key → value of everything below a key; an absent value has none."""
    if value is ABSENT:
        return {}
    if not isinstance(value, dict) or not value:
        return {key: value}
    return {
        inner: content
        for name, part in value.items()
        for inner, content in flatten(part, f"{key}.{name}").items()
    }


def _show(values: Mapping[str, Any], key: str) -> str:
    return repr(values[key]) if key in values else "nothing"


def md5_of_text(content: bytes) -> str:
    """The MD5 by which DVC knows a file."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
