"""What a shadow may cost."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Limits(BaseSettings):
    """Read from `UNDERSTUDY_SHADOW_*` environment variables; an empty one is none."""

    model_config = SettingsConfigDict(
        env_prefix="UNDERSTUDY_SHADOW_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    deadline_s: float = Field(default=1.0, gt=0, description="A group of copies that takes longer is given up ...")
    row_ms: float = Field(default=5.0, ge=0, description="... plus this much for each copy in it")
    load_s: float = Field(default=60.0, gt=0, description="Until a version must be loaded")
    lag_mb: float = Field(default=64.0, gt=0, description="Event log behind which the oldest copies are dropped")
    memory_mb: float = Field(default=1024.0, gt=0, description="Of the process of one version")
    idle_s: float = Field(default=300.0, gt=0, description="Without copies, until the process of a version is ended")

    def deadline(self, copies: int) -> float:
        """Seconds that a group of copies may take."""
        return self.deadline_s + self.row_ms * copies / 1000
