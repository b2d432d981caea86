"""The routes in, docs/openapi.json out: `python -m defectseg.service.openapi docs/openapi.json`."""

import sys
from pathlib import Path
from typing import Any

from defectseg.files import write_json
from defectseg.service.app import describe_app


def main() -> None:
    """Write the contract of a service with all addresses."""
    [name] = sys.argv[1:] or ["docs/openapi.json"]
    write_json(Path(name), read_contract())
    print(f"openapi: {name} written")


def read_contract() -> dict[str, Any]:
    """The contract; needs no model."""
    return describe_app(with_reload=True).openapi()


if __name__ == "__main__":
    main()
