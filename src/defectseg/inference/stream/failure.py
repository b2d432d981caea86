"""What went wrong with one picture in, a code for programs and a message for people out."""

from typing import TypedDict

from defectseg.errors import ModelOutputError, PictureError
from defectseg.inference.stream.picture import Picture, printable
from defectseg.inference.writers.picture_file import DrawingError

UNREADABLE_FILE = "UNREADABLE_FILE"
EMPTY_FILE = "EMPTY_FILE"
INFERENCE_FAILED = "INFERENCE_FAILED"
MODEL_OUTPUT_INVALID = "MODEL_OUTPUT_INVALID"
OUTPUT_FAILED = "OUTPUT_FAILED"


class Explained(TypedDict):
    """The error of a picture; codes are never renamed."""

    code: str
    message: str


class Failure(TypedDict):
    """What stands in the place of a result."""

    image_id: str
    path: str
    error: Explained


class EmptyFileError(Exception):
    """A file of 0 bytes."""


class EngineError(Exception):
    """An engine raised something while it ran."""


def to_failure(picture: Picture, error: Exception) -> Failure:
    """Tell why a picture has no result."""
    message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return {
        "image_id": picture.image_id,
        "path": printable(picture.path),
        "error": {"code": to_code(error), "message": printable(message)},
    }


def to_code(error: Exception) -> str:
    """The code of what was raised while one picture was read, decoded or predicted."""
    match error:
        case EmptyFileError():
            return EMPTY_FILE
        case OSError():
            return UNREADABLE_FILE
        case ModelOutputError():
            return MODEL_OUTPUT_INVALID
        case EngineError() | MemoryError():
            return INFERENCE_FAILED
        case DrawingError():
            return OUTPUT_FAILED
        case PictureError():
            return error.code
    raise TypeError(f"{type(error).__name__} is no failure of a picture") from error
