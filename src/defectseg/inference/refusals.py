"""The file that the stage export leaves beside its variants in, what may not run where out.

`models/variants/offers.json`: {variant: {engine: [reason, …]}}; no reasons: it is offered.
"""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from defectseg.errors import ModelFileError

OFFERS = "offers.json"
Refusals = dict[tuple[str, str], str]  # (engine, precision) → why export does not offer it


def read_refusals(variants: Path) -> Refusals:
    """Read what export found; empty where the folder has no such file.

    Raises:
        ModelFileError: The file is damaged.
    """
    path = variants / OFFERS
    if not path.is_file():
        return {}
    try:
        kind = TypeAdapter(dict[str, dict[str, list[str]]])
        found = kind.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ModelFileError(
            f"{path} cannot be read: {error}; run the stage export again"
        ) from error
    return {
        (engine, variant): "; ".join(reasons)
        for variant, engines in found.items()
        for engine, reasons in engines.items()
        if reasons
    }
