"""The addresses of the service: each asks the pipeline or the model and says what came of it."""

import asyncio
import hmac
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import JSONResponse

from defectseg.errors import DefectsegError
from defectseg.service.analysis import analyze_form, analyze_forms
from defectseg.service.codes import Failure
from defectseg.service.model import ServedModel
from defectseg.service.picture import describe_rule
from defectseg.service.schemas import ANALYZE, BATCH, LIVE, METRICS, MODEL, READY, RELOAD
from defectseg.service.service import Service
from defectseg.service.task import MaskForm, Wish

PAGE = Path(__file__).parent / "page"
KINDS: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
log = logging.getLogger(__name__)
Mask = Annotated[MaskForm, Query(description="COCO run lengths, a PNG of class indexes, or none")]
Heat = Annotated[bool, Query(description="a picture of the probability of a defect too")]


def build_routes(with_reload: bool) -> APIRouter:
    """All addresses; `with_reload` where there is an admin token."""
    routes = APIRouter()
    routes.add_api_route("/v1/analyze", analyze, methods=["POST"], **ANALYZE)
    routes.add_api_route("/v1/analyze/batch", analyze_batch, methods=["POST"], **BATCH)
    routes.add_api_route("/analyze", analyze, methods=["POST"], include_in_schema=False)
    routes.add_api_route("/v1/model", model, methods=["GET"], **MODEL)
    if with_reload:
        routes.add_api_route("/v1/model/reload", reload, methods=["POST"], **RELOAD)
    routes.add_api_route("/live", live, methods=["GET"], **LIVE)
    routes.add_api_route("/ready", ready, methods=["GET"], **READY)
    routes.add_api_route("/metrics", metrics, methods=["GET"], **METRICS)
    routes.add_api_route("/", page, include_in_schema=False)
    routes.add_api_route("/docs", docs, include_in_schema=False)
    routes.add_api_route("/page/{name}", page_file, include_in_schema=False)
    return routes


async def analyze(request: Request, mask: Mask = "rle", heat: Heat = False) -> Response:
    """Analyze one picture: verdict, defects and mask."""
    content = await analyze_form(service_of(request), request, Wish(mask, heat))
    return Response(content, media_type="application/json")


async def analyze_batch(request: Request, mask: Mask = "rle", heat: Heat = False) -> Response:
    """Analyze several pictures; a bad one fails alone."""
    content = await analyze_forms(service_of(request), request, Wish(mask, heat))
    return Response(content, media_type="application/json")


async def model(request: Request) -> Response:
    """Tell which model is in use, and which pictures it takes."""
    service = service_of(request)
    return JSONResponse(describe_model(service, service.models.current))


async def reload(request: Request) -> Response:
    """Load the model file again; where it cannot be served the earlier one goes on."""
    service = service_of(request)
    refuse_stranger(service, request)
    try:
        found = await asyncio.to_thread(service.models.reload)
    except DefectsegError as error:
        service.count_reload("rejected", None)
        log.error("model rejected", extra={"code": "MODEL_REJECTED", "detail": str(error)})
        raise Failure("MODEL_REJECTED") from error
    service.count_reload("ok", found)
    return JSONResponse(describe_model(service, found))


async def live(request: Request) -> Response:
    """Tell whether the process moves; else it is to be started anew."""
    if not service_of(request).is_alive():
        raise Failure("NOT_READY")
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    """Tell whether this instance is to get work."""
    service_of(request).refuse_unready()
    return JSONResponse({"status": "ok"})


async def metrics(request: Request) -> Response:
    """Tell Prometheus everything."""
    content, kind = service_of(request).metrics.render(request.headers.get("accept", ""))
    return Response(content, media_type=kind)


async def page() -> Response:
    """The page."""
    return await page_file("index.html")


async def docs() -> Response:
    """The contract, to be read."""
    return await page_file("docs.html")


async def page_file(name: str) -> Response:
    """A file of the page; names are looked up among those there, never put into a path."""
    found = [path for path in PAGE.iterdir() if path.name == name and path.suffix in KINDS]
    if not found:
        raise Failure("NOT_FOUND")
    kind = KINDS[found[0].suffix]
    content = await asyncio.to_thread(found[0].read_bytes)  # whole: a part would need own failures
    return Response(content, media_type=kind, headers={"cache-control": "no-cache"})


def service_of(request: Request) -> Service:
    """The service that this app was built for."""
    service: Service = request.app.state.service
    return service


def refuse_stranger(service: Service, request: Request) -> None:
    """Raises: Failure: The request has not the admin token."""
    token = service.settings.admin_token
    given = request.headers.get("authorization", "")
    expected = f"Bearer {token.get_secret_value()}" if token else ""
    if not expected or not hmac.compare_digest(given.encode("latin-1"), expected.encode()):
        raise Failure("UNAUTHORIZED", headers={"WWW-Authenticate": "Bearer"})


def describe_model(service: Service, model: ServedModel) -> dict[str, Any]:
    """What GET /v1/model tells."""
    facts, settings = model.facts, service.settings
    loaded_at = datetime.fromtimestamp(model.loaded_at, UTC).isoformat(timespec="seconds")
    return {
        "name": model.name,
        "version": facts.package_version,
        "sha256": model.sha256,
        "precision": facts.precision,
        "channels": facts.channels,
        "image_size": facts.image_size,
        "classes": list(facts.classes),
        "operating_point": facts.point.model_dump(mode="json"),
        "data_digest": facts.data_digest,
        "weights_sha256": facts.weights_sha256,
        "loaded_at": loaded_at,
        "provider": model.engine.provider,
        "input": describe_rule(service.limits)
        | {"max_body_bytes": settings.max_body_bytes, "max_pictures": settings.max_pictures},
        "mm_per_pixel": settings.mm_per_pixel,
    }
