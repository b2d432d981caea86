"""Every way in which a request can fail: code, HTTP status, worth another try; one envelope.

Codes are part of the API and never renamed. A message is for people: it says what came, what was
expected and what to do, and never has a path, a stack or the text of an exception in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NotRequired

from typing_extensions import TypedDict

from defectseg.errors import DefectsegError, PictureError

RETRY_AFTER_S = 1  # told with every code that is worth another try


@dataclass(frozen=True)
class Code:
    """What a code means."""

    status: int  # HTTP
    message: str  # where nothing more exact is known
    retryable: bool = False  # the same request may succeed later


CODES: Final[dict[str, Code]] = {
    # How the request was sent.
    "BAD_REQUEST": Code(400, "this is no valid HTTP request; send HTTP/1.1 with one length"),
    "BAD_MULTIPART": Code(400, "the multipart body has no boundary or is cut off; send all of it"),
    "TOO_MANY_PARTS": Code(400, "too many parts, or too long ones; send only the fields in /docs"),
    "DUPLICATE_FILE": Code(400, "`image` came twice; send one file, or use /v1/analyze/batch"),
    "UNAUTHORIZED": Code(401, "this needs the header `Authorization: Bearer` with the admin token"),
    "NOT_FOUND": Code(404, "there is nothing at this address; see /docs"),
    "METHOD_NOT_ALLOWED": Code(405, "this address does not know this method; see /docs"),
    "REQUEST_TIMEOUT": Code(408, "the request came too slowly; send it again", retryable=True),
    "PAYLOAD_TOO_LARGE": Code(413, "the body is larger than this service takes"),
    "UNSUPPORTED_MEDIA_TYPE": Code(415, "expected multipart/form-data with the file `image`"),
    "FILE_REQUIRED": Code(422, "expected a file in the field `image`"),
    "BAD_PARAMETER": Code(422, "a parameter has a wrong value; see /docs"),
    "HEADERS_TOO_LARGE": Code(431, "the headers are longer than this service takes"),
    # What the bytes of the picture are.
    "EMPTY_FILE": Code(422, "the file has 0 bytes"),
    "UNSUPPORTED_IMAGE": Code(415, "no JPEG, PNG, BMP, TIFF or WebP; the content decides"),
    "IMAGE_CORRUPT": Code(422, "the picture is damaged or cut off"),
    "IMAGE_TOO_LARGE": Code(413, "the picture has more pixels than this service takes"),
    "IMAGE_DIMENSIONS": Code(422, "a side of the picture is too short, too long or too narrow"),
    "MULTI_FRAME": Code(422, "the file has several frames; send one still picture"),
    "BIT_DEPTH": Code(422, "expected 8 bits a channel, or 16-bit grey"),
    # What the service did with it.
    "MODEL_OUTPUT_INVALID": Code(500, "the model gave no number for this picture: no verdict"),
    "INFERENCE_FAILED": Code(500, "the model could not be run on this picture", retryable=True),
    "INTERNAL": Code(500, "a fault of the service; its log has this request_id", retryable=True),
    "QUEUE_FULL": Code(503, "all places are taken; send it again a little later", retryable=True),
    "DRAINING": Code(503, "this instance is stopping; ask another one", retryable=True),
    "NOT_READY": Code(503, "no model is loaded, or no worker lives", retryable=True),
    "DEADLINE_EXCEEDED": Code(504, "it took longer than allowed; try again", retryable=True),
    "MODEL_REJECTED": Code(422, "the new model cannot be served; the earlier one goes on"),
}


class Failure(DefectsegError):  # noqa: N818 - the word that clients and logs have for it
    """A request that ends with one of `CODES`."""

    def __init__(
        self, code: str, message: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Args:
        headers: What its reply has beside those that each failure has.
        """
        self.code = code
        self.headers = dict(headers or {})
        self.message = message or CODES[code].message
        super().__init__(f"{code}: {self.message}")

    @classmethod
    def of(cls, error: PictureError) -> "Failure":
        """What a client is told about a picture that cannot be decoded.

        Pillow's words may hold a path or the content of the file, so ours are sent instead.
        """
        return cls(error.code)

    @property
    def status(self) -> int:
        """HTTP."""
        return CODES[self.code].status


class ErrorFacts(TypedDict):
    """What is told about a failure."""

    code: str
    message: str
    request_id: NotRequired[str]  # left out only inside a batch, where the reply has it
    retryable: bool


class Envelope(TypedDict):
    """The body of every reply that is no success."""

    error: ErrorFacts


def to_envelope(failure: Failure, request_id: str) -> Envelope:
    """The one shape of all failures."""
    return {
        "error": {
            "code": failure.code,
            "message": failure.message,
            "request_id": request_id,
            "retryable": CODES[failure.code].retryable,
        }
    }
