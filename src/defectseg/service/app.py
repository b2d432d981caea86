"""A service in, the ASGI app that serves it out."""

from typing import Any, NoReturn

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException

from defectseg.service.admission import Admission
from defectseg.service.codes import Failure
from defectseg.service.routes import build_routes
from defectseg.service.schemas import ABOUT
from defectseg.service.service import Service

REFUSED = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}  # by Starlette


def build_app(service: Service) -> FastAPI:
    """The app with its routes, behind admission."""
    app = describe_app(with_reload=service.settings.admin_token is not None)
    app.state.service = service
    app.add_middleware(Admission, gate=service)
    if service.settings.cors_origins:  # outermost: its headers are on failures too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=service.settings.cors_origins,
            allow_credentials=False,
            allow_methods=["GET", "POST"],
            allow_headers=["Content-Type", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After"],
        )
    return app


def describe_app(with_reload: bool) -> FastAPI:
    """The app before it has a service: enough for its contract."""
    app = FastAPI(**ABOUT, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(build_routes(with_reload))
    app.add_exception_handler(HTTPException, refuse_address)
    app.add_exception_handler(RequestValidationError, refuse_parameter)
    return app


async def refuse_address(request: Request, error: Any) -> NoReturn:
    """Turn what Starlette refuses into our envelope: `Admission` sends it."""
    code = REFUSED.get(error.status_code, "BAD_REQUEST")
    raise Failure(code, headers=error.headers) from error  # such as Allow


async def refuse_parameter(request: Request, error: Any) -> NoReturn:
    """Turn what FastAPI refuses into our envelope."""
    fault = error.errors()[0]
    raise Failure("BAD_PARAMETER", f"{fault['loc'][-1]}: {fault['msg']}"[:200]) from error
