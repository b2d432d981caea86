"""What /openapi.json says beside the routes: texts, the form, the replies, examples."""

from typing import Any, Final, NotRequired

from fastapi import Security
from fastapi.security import HTTPBearer
from typing_extensions import TypedDict

from defectseg.inference.operating_point import OperatingPoint
from defectseg.service.codes import CODES, Envelope, ErrorFacts
from defectseg.service.encode import AnalyzeReply

ABOUT: Final[dict[str, Any]] = {
    "title": "defectseg",
    "version": "1",
    "description": (
        "Pictures of a surface in; verdict, defects with place, size and kind, and masks out. "
        "All coordinates are pixels of the upright picture, as a viewer shows it. Every failure "
        "is `{error: {code, message, request_id, retryable}}`; codes are never renamed. Any other "
        "address has NOT_FOUND, any other method METHOD_NOT_ALLOWED."
    ),
}
EXAMPLE_REPLY: Final[dict[str, Any]] = {
    "image_id": "0001.jpg",
    "request_id": "5f0c9a1e2b3d4c5e",
    "width": 534,
    "height": 243,
    "verdict": "reject",
    "defects": [
        {
            "defect_class": "break",
            "score": 0.999678,
            "box": [188, 6, 289, 37],
            "centroid": [238.5, 20.1],
            "area_px": 2065,
            "area_fraction": 0.0159136,
        }
    ],
    "mask": {"break": {"size": [243, 534], "counts": "[d\\12`73M3M2O1N101N"}},
    "model": {"version": "0.1.0", "sha256": "71ee1535" * 8},
    "timings_ms": {"read": 0.2, "decode": 1.9, "queue": 0.1, "infer": 12.4, "encode": 0.6},
}


class BatchItem(TypedDict):
    """One picture of a batch: it has either a result or an error."""

    image_id: str
    result: NotRequired[AnalyzeReply]
    error: NotRequired[ErrorFacts]


class BatchReply(TypedDict):
    """The pictures of a batch, in the order in which they came."""

    request_id: str
    results: list[BatchItem]


class InputRule(TypedDict):
    """Which pictures are taken."""

    formats: list[str]
    max_body_bytes: int
    max_pixels: int
    min_side: int  # px
    max_side: int  # px
    max_aspect: float  # longer side over shorter side
    max_pictures: int  # of one batch
    frame: str
    depth: str


class ModelReply(TypedDict):
    """The model in use."""

    name: str
    version: str
    sha256: str
    precision: str
    channels: int
    image_size: int
    classes: list[str]
    operating_point: OperatingPoint
    data_digest: str
    weights_sha256: str
    loaded_at: str  # ISO 8601, UTC
    provider: str
    input: InputRule
    mm_per_pixel: float | None


class Status(TypedDict):
    """All is well."""

    status: str


def failures(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The replies of these codes, by status."""
    found: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        known = CODES[code]
        entry = found.setdefault(
            known.status,
            {"model": Envelope, "description": "", "content": {"application/json": {}}},
        )
        entry["description"] += f"{', ' if entry['description'] else ''}{code}"
        examples = entry["content"]["application/json"].setdefault("examples", {})
        examples[code] = {
            "summary": known.message,
            "value": {
                "error": {
                    "code": code,
                    "message": known.message,
                    "request_id": "5f0c9a1e2b3d4c5e",
                    "retryable": known.retryable,
                }
            },
        }
    return found


def form(field: str, schema: dict[str, Any], what: str) -> dict[str, Any]:
    """The multipart body of a request."""
    properties = {field: schema | {"description": what}}
    if field == "image":
        name = {
            "type": "string",
            "maxLength": 200,
            "description": "how the reply names the picture",
        }
        properties["image_id"] = name
    body = {"type": "object", "required": [field], "properties": properties}
    return {"required": True, "content": {"multipart/form-data": {"schema": body}}}


FILE: Final[dict[str, Any]] = {"type": "string", "format": "binary"}
TRANSPORT: Final = (
    *("BAD_REQUEST", "BAD_MULTIPART", "TOO_MANY_PARTS", "REQUEST_TIMEOUT", "PAYLOAD_TOO_LARGE"),
    *("UNSUPPORTED_MEDIA_TYPE", "FILE_REQUIRED", "BAD_PARAMETER", "HEADERS_TOO_LARGE"),
    *("INTERNAL", "QUEUE_FULL", "DRAINING", "NOT_READY"),
)
PICTURE: Final = (
    *("DUPLICATE_FILE", "EMPTY_FILE", "UNSUPPORTED_IMAGE", "IMAGE_CORRUPT", "IMAGE_TOO_LARGE"),
    *("IMAGE_DIMENSIONS", "MULTI_FRAME", "BIT_DEPTH", "MODEL_OUTPUT_INVALID"),
    *("INFERENCE_FAILED", "DEADLINE_EXCEEDED"),
)
ANALYZE: Final[dict[str, Any]] = {
    "responses": {
        200: {
            "model": AnalyzeReply,
            "description": "what the model says about the picture",
            "content": {"application/json": {"example": EXAMPLE_REPLY}},
        },
        **failures(*TRANSPORT, *PICTURE),
    },
    "openapi_extra": {"requestBody": form("image", FILE, "JPEG, PNG, BMP, TIFF or WebP")},
}
BATCH: Final[dict[str, Any]] = {
    "responses": {
        200: {"model": BatchReply, "description": "one result or one error a picture"},
        **failures(*TRANSPORT),
    },
    "openapi_extra": {
        "requestBody": form("images", {"type": "array", "items": FILE}, "one or several pictures")
    },
}
MODEL: Final[dict[str, Any]] = {
    "responses": {200: {"model": ModelReply, "description": "the model in use"}}
}
RELOAD: Final[dict[str, Any]] = {
    "responses": {
        200: {"model": ModelReply, "description": "the new model"},
        **failures("UNAUTHORIZED", "MODEL_REJECTED"),
    },
    "dependencies": [Security(HTTPBearer(scheme_name="admin", auto_error=False))],
}
METRICS: Final[dict[str, Any]] = {
    "responses": {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
}
LIVE: Final[dict[str, Any]] = {
    "responses": {200: {"model": Status, "description": "it moves"}, **failures("NOT_READY")}
}
READY: Final[dict[str, Any]] = {
    "responses": {
        200: {"model": Status, "description": "it takes work"},
        **failures("NOT_READY", "DRAINING"),
    }
}
