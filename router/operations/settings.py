"""What an operator may choose about the serving processes."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServeSettings(BaseSettings):
    """Read from `UNDERSTUDY_*` environment variables; an empty one is none."""

    model_config = SettingsConfigDict(env_prefix="UNDERSTUDY_", env_ignore_empty=True, frozen=True, extra="ignore")

    drain_s: float = Field(default=10.0, gt=0, le=3600, description="Longest time for what is under way at a stop")
    linger_s: float = Field(
        default=1.0, ge=0, le=60, description="How long a stopping worker keeps idle connections, to say that they end"
    )
    worker_memory_mb: int = Field(
        default=2048, ge=0, description="A worker above it makes room for a fresh one; 0: no ceiling"
    )
    worker_rest_s: float = Field(
        default=30.0, ge=0, description="Least time between two workers that leave because of their memory"
    )
    log_format: Literal["text", "json"] = Field(default="text", description="How the serving processes log")
    log_per_s: float = Field(default=20.0, gt=0, description="Most lines a second about refused or failed requests")
    tracing: bool = Field(default=False, description="OpenTelemetry spans; needs the package opentelemetry-api")
