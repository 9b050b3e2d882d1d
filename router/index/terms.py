"""How long outcomes may take, in days of the model's own clock."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_DAY = 86_400.0


class Terms(BaseSettings):
    """Read from `UNDERSTUDY_*` environment variables; event times count, which are virtual in a replay."""

    model_config = SettingsConfigDict(env_prefix="UNDERSTUDY_", env_ignore_empty=True, frozen=True, extra="ignore")

    attribution_days: float = Field(
        default=7.0, gt=0, description="An outcome by key joins a prediction at most so many days older"
    )
    label_horizon_days: float = Field(
        default=365.0, gt=0, description="An outcome further behind its prediction is kept aside as late"
    )
    parked_days: float = Field(
        default=30.0, gt=0, description="An outcome that waited so long for its prediction is kept aside as expired"
    )

    @property
    def attribution_s(self) -> float:
        """Seconds."""
        return self.attribution_days * _DAY

    @property
    def horizon_s(self) -> float:
        """Seconds."""
        return self.label_horizon_days * _DAY

    @property
    def parked_s(self) -> float:
        """Seconds."""
        return self.parked_days * _DAY
