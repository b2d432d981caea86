"""The routes in, the contract that docs/openapi.json holds out; needs no model."""

from typing import Any

from defectseg.service.app import describe_app


def read_contract() -> dict[str, Any]:
    """The contract of a service with all addresses."""
    return describe_app(with_reload=True).openapi()
