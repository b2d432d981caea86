"""Environment variables DEFECTSEG_* in, the checked settings of the service out."""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from defectseg.inference.engine_settings import Provider

MIB = 1024 * 1024
MEGA = 1_000_000
ORIGIN = re.compile(r"https?://[^/*\s]+")


class Settings(BaseSettings):
    """Every setting of `defectseg serve`; seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix="DEFECTSEG_",
        frozen=True,
        extra="forbid",
        protected_namespaces=(),
        allow_inf_nan=False,
        enable_decoding=False,  # else a list that is no JSON hides the other faults
    )

    host: str = Field("127.0.0.1", description="address to listen at; 0.0.0.0 = all")
    port: int = Field(8000, ge=0, le=65535, description="0 = any free one; the log names it")

    model: Path = Field(Path("models/unet.onnx"), description="the exported model")
    model_sha256: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="refuse a model file with another hash"
    )
    model_poll_s: float = Field(
        5, ge=0, description="how often to look whether the model file changed; 0 = never"
    )
    provider: Provider = Field("auto", description="where ONNX Runtime runs the model")

    workers: int = Field(0, ge=0, description="inference threads; 0 = one a core")
    threads: int = Field(0, ge=0, description="threads inside one inference; 0 = cores / workers")
    decoders: int = Field(0, ge=0, description="threads that decode and encode; 0 = one a core")
    batch_size: int = Field(1, ge=1, le=256, description="pictures of one inference; for GPUs")
    batch_window_ms: float = Field(
        0, ge=0, le=1000, description="how long an inference waits for more pictures of its size"
    )
    spin: bool = Field(False, description="inference threads that wait burn a core: faster alone")

    slots: int = Field(32, ge=1, description="requests at work or waiting; more are refused")
    deadline_s: float = Field(10, gt=0, description="from the last byte to the reply")
    header_timeout_s: float = Field(10, gt=0, description="for the headers of a request")
    body_timeout_s: float = Field(30, gt=0, description="for the body of a request")
    keep_alive_s: float = Field(75, gt=0, description="for an idle connection")
    connections: int = Field(512, ge=1, description="open connections; more are closed at once")
    max_header_kib: int = Field(16, ge=1, description="headers of a request, KiB")
    max_body_mib: float = Field(32, gt=0, description="body of a request, MiB")
    max_pictures: int = Field(16, ge=1, description="pictures of one /v1/analyze/batch")

    max_megapixels: float = Field(16, gt=0, le=100, description="of one picture")
    megapixels_in_flight: float = Field(
        32, gt=0, description="of all pictures at work: bounds the memory"
    )
    min_side: int = Field(8, ge=1, description="shorter side of a picture, px")
    max_side: int = Field(20_000, ge=1, description="longer side of a picture, px")
    max_aspect: float = Field(100, ge=1, description="longer side over shorter side")
    mm_per_pixel: float | None = Field(
        None, gt=0, description="side of a pixel on the surface, for area_mm2"
    )

    drain_delay_s: float = Field(
        5, ge=0, description="after SIGTERM: /ready says 503 but requests are still taken"
    )
    drain_timeout_s: float = Field(30, gt=0, description="after that: for what is at work")
    cors_origins: tuple[str, ...] = Field(
        (), description='pages of other hosts that may ask, as JSON: ["https://line1.example"]'
    )
    admin_token: SecretStr | None = Field(
        None, min_length=16, description="allows POST /v1/model/reload; none = no such address"
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="of the log")
    otlp_endpoint: str | None = Field(
        None,
        pattern="^https?://.",
        description="where to send traces, such as http://host:4318/v1/traces (extra: otel)",
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _decode(cls, value: Any) -> Any:
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError:
            return value  # refused as what it is: no list

    @field_validator("cors_origins")
    @classmethod
    def _refuse_other_than_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [origin for origin in origins if not ORIGIN.fullmatch(origin)]
        if wrong:
            raise ValueError(f"origins such as https://line1.example, not {wrong[0]!r}")
        return origins

    @property
    def max_body_bytes(self) -> int:
        """Largest body of a request."""
        return int(self.max_body_mib * MIB)

    @property
    def max_pixels(self) -> int:
        """Largest picture."""
        return int(self.max_megapixels * MEGA)

    @property
    def pixels_in_flight(self) -> int:
        """All pictures at work together; at least one picture fits."""
        return max(int(self.megapixels_in_flight * MEGA), self.max_pixels)
