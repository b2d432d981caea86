"""Pictures in, the physical surface that each one shows out. (Being written.)"""

from pydantic import Field

from defectseg.params import Section


class SurfaceParams(Section):
    """params.yaml: data_load.surfaces."""

    similarity: float = Field(gt=0, lt=1)
