"""Every error that defectseg raises on purpose, in one tree: catch `DefectsegError` to catch all.

DefectsegError
├── ParamsError          params.yaml does not say what a stage needs
├── PackagesError        the installed packages are not those of requirements.txt
├── DependencyError      what a stage depends on changed while it ran
├── DataError            the pictures or masks cannot be used
│   ├── PictureError     the bytes of one picture or mask cannot be used
│   ├── SourceError      a source cannot be opened, downloaded or unpacked safely
│   ├── LayoutError      no known layout of pictures and masks in a folder
│   ├── OffendersError   some pictures or masks are wrong; lists them
│   └── SplitError       the pictures cannot be split, or a surface would leak between parts
├── TrainingError        the training cannot start or go on
├── ModelFileError       a model file is missing, damaged or of another kind
├── ModelOutputError     a model gave something that is no probability
├── ExportError          the model may not be shipped: a gate failed, or the graph says otherwise
├── RevisionError        git or DVC cannot give what a revision has
├── StorageError         the storage cannot be started or reached
├── ComparisonError      two revisions cannot be compared
└── RegistryError        a model may not be registered or promoted, or is not registered

A message says what came, what was expected and what to do.
"""

from collections.abc import Sequence

SHOWN = 20  # offenders listed in one message


class DefectsegError(Exception):
    """The root of the tree."""


class ParamsError(DefectsegError):
    """params.yaml does not say what a stage needs."""


class PackagesError(DefectsegError):
    """The installed packages are not those of requirements.txt."""


class DependencyError(DefectsegError):
    """What a stage depends on changed while it ran."""


class DataError(DefectsegError):
    """The pictures or masks cannot be used."""


class PictureError(DataError):
    """The bytes of one picture or mask cannot be used; `code` says why to programs."""

    def __init__(self, message: str, code: str) -> None:
        self.code = code  # such as IMAGE_CORRUPT; never renamed
        super().__init__(message)


class SourceError(DataError):
    """A source cannot be opened, downloaded or unpacked safely."""


class LayoutError(DataError):
    """No known layout of pictures and masks in a folder."""


class OffendersError(DataError):
    """Some pictures or masks are wrong; the message lists the first of them and counts all."""

    def __init__(self, what: str, offenders: Sequence[str], advice: str) -> None:
        self.offenders = tuple(offenders)
        shown = [f"  {offender}" for offender in self.offenders[:SHOWN]]
        rest = len(self.offenders) - len(shown)
        if rest:
            shown.append(f"  … and {rest} more")
        super().__init__("\n".join([f"{what} ({len(self.offenders)}):", *shown, advice]))


class SplitError(DataError):
    """The pictures cannot be split, or a surface would leak between parts."""


class TrainingError(DefectsegError):
    """The training cannot start or go on."""


class ModelFileError(DefectsegError):
    """A model file is missing, damaged or of another kind."""


class ModelOutputError(DefectsegError):
    """A model gave something that is no probability."""


class ExportError(DefectsegError):
    """The model may not be shipped: a gate failed, or the graph says otherwise."""


class RevisionError(DefectsegError):
    """git or DVC cannot give what a revision has."""


class StorageError(DefectsegError):
    """The storage cannot be started or reached."""


class ComparisonError(DefectsegError):
    """Two revisions cannot be compared."""


class RegistryError(DefectsegError):
    """A model may not be registered or promoted, or is not registered."""
