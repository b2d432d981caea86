"""The labels of a source in, the defect classes out, and which class each label becomes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field, field_validator

from defectseg.data.labels.label import to_label
from defectseg.data.tile import CLEAN
from defectseg.errors import DataError
from defectseg.params import Section

MAX_CLASSES = 31  # a larger mask value is no class index


class ClassParams(Section):
    """params.yaml: data_load, what becomes of the labels of a source."""

    classes: tuple[str, ...] | None = Field(min_length=1, max_length=MAX_CLASSES)
    rename: dict[str, str]  # label → class; two labels with one class are merged
    ignore: tuple[str, ...]  # labels that are not drawn

    @field_validator("classes")
    @classmethod
    def check_names(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Refuse names that could not be a metric's key, and names given twice."""
        for name in names or ():
            check_class(name)
        if names and len(set(names)) < len(names):
            raise ValueError(f"a class is named twice in {list(names)}")
        return names

    @field_validator("rename")
    @classmethod
    def check_rename(cls, rename: dict[str, str]) -> dict[str, str]:
        """Refuse names of classes as above; labels are compared as `to_label` makes them."""
        for name in rename.values():
            check_class(name)
        return {to_label(label): name for label, name in rename.items()}

    @field_validator("ignore")
    @classmethod
    def check_ignore(cls, ignore: tuple[str, ...]) -> tuple[str, ...]:
        """Labels are compared as `to_label` makes them."""
        return tuple(to_label(label) for label in ignore)


@dataclass(frozen=True)
class ClassMap:
    """The defect classes, and the index of the class that each label becomes."""

    classes: tuple[str, ...]  # K names; mask value k is classes[k - 1]
    index: Mapping[str, int]  # label → 1..K, or 0: not drawn
    unused: tuple[str, ...]  # labels that rename or ignore name and that the source does not have

    def class_of(self, label: str) -> str:
        """The class that a label becomes; CLEAN for CLEAN and for a label that is ignored."""
        return self.classes[self.index[label] - 1] if self.index.get(label) else CLEAN


def check_class(name: str) -> str:
    """Raises: ValueError: The name could not be part of a metric's key, or is CLEAN."""
    if not re.fullmatch(r"[a-z0-9_]+", name) or name == CLEAN:
        raise ValueError(f"{name!r} is no class name: a-z, 0-9 and _, and not {CLEAN!r}")
    return name


def map_classes(labels: Sequence[str], params: ClassParams) -> ClassMap:
    """Say which class each label becomes.

    Args:
        labels: The labels of the source as `to_label` makes them, in the source's own order,
            which is that of the classes where params name none.

    Raises:
        DataError: A label has no class (lists them all), or there is no class or are too many.
    """
    named = {label: params.rename.get(label, label) for label in labels}
    drawn = {label: name for label, name in named.items() if label not in params.ignore}
    classes = params.classes or tuple(dict.fromkeys(drawn.values()))
    unknown = sorted(label for label, name in drawn.items() if name not in classes)
    if unknown:
        raise DataError(
            f"labels {unknown} are in no class: data_load.classes is {list(classes)}; add them "
            "there, give them a class in data_load.rename, or name them in data_load.ignore"
        )
    if not classes:
        raise DataError("the source has no label that is drawn: there is no defect to learn")
    if len(classes) > MAX_CLASSES:
        raise DataError(
            f"{len(classes)} classes, more than {MAX_CLASSES}: {', '.join(classes[:10])}, …; "
            "merge some with data_load.rename or leave some out with data_load.ignore"
        )
    index = {label: classes.index(name) + 1 for label, name in drawn.items()}
    unused = {*params.rename, *params.ignore} - set(labels)
    return ClassMap(
        classes=classes,
        index=dict.fromkeys(labels, 0) | index,
        unused=tuple(sorted(unused)),
    )
