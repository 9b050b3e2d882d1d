"""What all sections of a configuration share."""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from flows.config.durations import Duration

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Period = Annotated[Duration, Field(gt=timedelta(0))]
Name = Annotated[str, Field(pattern=r"\S")]


class Section(BaseModel):
    """Closed and frozen: an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
