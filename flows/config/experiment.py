"""The section `experiment`: who takes part in the rollouts of a model."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from flows.config.section import Section
from registry.assignment import TOTAL
from registry.records.base import NAME
from registry.records.plan import forced_mistakes

NO_LAYER = "none"
Place = Annotated[int, Field(ge=1, le=TOTAL)]
Variant = Literal["champion", "challenger"]


def _as_text(value: Any) -> Any:
    """Callers may send 42 or "42": it is the same key."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Key = Annotated[str, BeforeValidator(_as_text), Field(min_length=1)]


class LayerConfig(Section):
    """The places that the experiments of this model may use of a layer; see `registry.records.plan.Layer`."""

    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    first: Place = 1
    last: Place = TOTAL

    @field_validator("last")
    @classmethod
    def _behind_first(cls, value: int, seen: ValidationInfo) -> int:
        first = seen.data.get("first")
        if first is not None and value < first:
            raise ValueError(f"{value} is before first, {first}")
        return value


class ExperimentConfig(Section):
    """Who takes part; what is absent stays as the traffic plan before has it."""

    layer: LayerConfig | None = Field(default=None, description="`{name: none}` takes the model out of its layer")
    holdout: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None, description="Share of the callers that never meet a challenger, in whole percents"
    )
    forced: dict[Variant, tuple[Key, ...]] | None = Field(default=None, description="Variant -> keys, for trying out")
    noise_arm: bool = Field(default=False, description="In shadow, compare the champion with itself, too")

    @field_validator("holdout")
    @classmethod
    def _whole_percents(cls, value: float | None) -> float | None:
        if value is not None and abs(value * 100 - round(value * 100)) > 1e-9:
            raise ValueError(f"{value} is {value * 100:g} %, which is no whole percent")
        return value

    @field_validator("forced")
    @classmethod
    def _once(cls, value: dict[Variant, tuple[str, ...]] | None) -> dict[Variant, tuple[str, ...]] | None:
        mistakes = forced_mistakes((value or {}).values())
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return value
