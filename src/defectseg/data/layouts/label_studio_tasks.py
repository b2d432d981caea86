"""A JSON export of Label Studio in, its tasks out: checked, one at a time.

The text of a file is in memory as a whole, its tasks are not: a brush takes many times its size as
a list of numbers.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from defectseg.data.layouts.folders import files_in
from defectseg.data.layouts.layout import Batch
from defectseg.errors import LayoutError, OffendersError

MAX_BYTES = 2 * 1024**3  # of one file
HEAD_BYTES = 64 * 1024  # what is read to recognise a file
TOOL = "label-studio"
NOTE_LENGTH = 200  # characters of a note about a batch
ADVICE = "Export the project again: Export, JSON."
SPACE = re.compile(r"[ \t\r\n]*")


class Annotation(BaseModel):
    """What one person drew on the picture of a task."""

    result: list[Any]  # see `label_studio_regions`
    was_cancelled: bool = Field(False, validation_alias=AliasChoices("was_cancelled", "skipped"))
    ground_truth: bool | None = False
    completed_by: Any = None  # the number of a user, an address, or a mapping with both
    updated_at: Any = None
    created_at: Any = None


class Task(BaseModel):
    """One picture of a project, hostile."""

    id: int | str | None = None
    data: dict[str, Any]
    annotations: list[Annotation] = Field(
        default=[], validation_alias=AliasChoices("annotations", "completions")
    )
    predictions: list[Any] = []

    @property
    def why_unlabelled(self) -> str:
        """Why `choose` finds nothing."""
        if self.annotations:
            return "its annotations were skipped; annotate it or remove it"
        if self.predictions:
            return "it has predictions only; submit or correct them in Label Studio"
        return "it has no annotation; submit one, be it empty, or remove the task"

    def choose(self) -> Annotation | None:
        """The annotation that counts: the ground truth, else the one that was changed last."""
        submitted = [each for each in self.annotations if not each.was_cancelled]
        return max(submitted, key=_rank, default=None)  # of equals, the first

    def batch(self, annotation: Annotation) -> Batch:
        """Who drew an annotation and when; else what our own export noted in the data."""
        who, when = _who(annotation.completed_by), annotation.updated_at or annotation.created_at
        return Batch(
            labelled_by=_note(who) or _note(self.data.get("labelled_by")),
            labelled_at=_note(when) or _note(self.data.get("labelled_at")),
            label_tool=_note(self.data.get("label_tool")) or TOOL,
        )


def find_exports(folder: Path) -> list[Path]:
    """Files in a folder that start like an export of Label Studio."""
    return [path for path in files_in(folder, [".json"]) if _looks_like_export(path)]


def read_tasks(path: Path) -> Iterator[tuple[str, Task]]:
    """Every task of a file, with what messages call it.

    Raises:
        LayoutError: The file is no list of tasks in JSON, is JSON-MIN, or is too large.
        OffendersError: Some tasks are none; lists them, after the good ones have been given.
    """
    wrong = []
    for number, content in enumerate(_read_items(path), start=1):
        if _is_min(content):
            raise LayoutError(
                f"{path.name} is an export of Label Studio as JSON-MIN, which leaves out whether "
                "a picture was rotated or skipped; export the project as JSON"
            )
        try:
            task = Task.model_validate(content)
        except ValidationError as error:
            fault = error.errors()[0]
            key = ".".join(map(str, fault["loc"])) or "the task"
            wrong.append(f"{path.name}, item {number}: {key[:NOTE_LENGTH]}: {fault['msg']}")
        else:
            name = number if task.id is None else _note(task.id)
            yield f"task {name} of {path.name}", task
    if wrong:
        raise OffendersError("tasks that are none of Label Studio", wrong, ADVICE)


def _looks_like_export(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES).decode("utf-8-sig", errors="replace")
    except OSError:
        return False
    keys = set(re.findall(r'"(\w+)"\s*:', head))
    is_task = bool(
        keys & {"annotations", "completions", "predictions"} and keys & {"data", "result"}
    )
    is_min = "original_width" in keys and bool(keys & {"brushlabels", "polygonlabels"})
    return bool(re.match(r"\s*\[\s*\{", head)) and (is_task or is_min)


def _read_items(path: Path) -> Iterator[Any]:
    """The items of a file that holds a list."""
    text = _read_text(path)
    decoder = json.JSONDecoder()
    at = _skip_space(text, 0)
    end = text[at : at + 1].replace("[", ",")
    while end == ",":
        at = _skip_space(text, at + 1)
        try:
            item, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise LayoutError(f"{path.name} is no JSON: {error}. {ADVICE}") from error
        yield item
        at = _skip_space(text, at)
        end = text[at : at + 1]
    if end != "]" or text[at + 1 :].strip():
        raise LayoutError(
            f"{path.name} is no list in JSON, or is cut off at character {at}. {ADVICE}"
        )


def _skip_space(text: str, at: int) -> int:
    match = SPACE.match(text, at)
    return match.end() if match else at


def _read_text(path: Path) -> str:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise LayoutError(
            f"{path.name} has {size} bytes, more than {MAX_BYTES}; export fewer tasks at a time"
        )
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise LayoutError(f"{path.name} cannot be read: {error}. {ADVICE}") from error


def _is_min(content: Any) -> bool:
    """Whether an item is a task of JSON-MIN: its shapes lie beside its picture."""
    return (
        isinstance(content, Mapping)
        and not {"data", "annotations", "completions"} & content.keys()
        and ("annotation_id" in content or "annotator" in content)
    )


def _rank(annotation: Annotation) -> tuple[bool, float]:
    return bool(annotation.ground_truth), _seconds(annotation.updated_at or annotation.created_at)


def _seconds(moment: Any) -> float:
    """A moment since 1970; an unknown one is earlier than all others."""
    try:
        if isinstance(moment, str):
            when = datetime.fromisoformat(moment)
            return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        return float(moment) if moment == moment else -math.inf  # NaN differs from itself
    except (TypeError, ValueError, OverflowError):
        return -math.inf


def _who(completed_by: Any) -> Any:
    if not isinstance(completed_by, Mapping):
        return completed_by
    keys: Sequence[str] = ("email", "username", "id")
    return next((completed_by[key] for key in keys if completed_by.get(key)), None)


def _note(content: Any) -> str:
    """A short line of text; "" of anything else."""
    if isinstance(content, bool) or not isinstance(content, str | int):
        return ""
    return "".join(filter(str.isprintable, str(content)[:NOTE_LENGTH]))
