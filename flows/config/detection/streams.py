"""Detectors that follow the errors one by one."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from flows.config.section import Section

METRICS: dict[str, str] = {
    "stream_alarm": "1 if a detector saw the error rise and it has not fallen again, else 0",
    "error_change_points": "rises of the error that the first detector marked",
    "rows_since_change": "labelled rows since the last of these rises",
    "error_change": "relative size of the last of these rises",
    "error_trend_p": "p-value of a rising trend of the error over the last windows (Mann-Kendall)",
    "error_trend_slope": "rise of the error per window (Sen's slope)",
    "error_trend_rise": "relative rise over the last windows that this slope amounts to",
    "error_dependence": "how many labelled rows tell as much as one independent row",
}
"""What rules may name: metric and what it is."""

DetectorName = Literal["scan", "adwin", "page_hinkley", "ddm", "hddm_a", "hddm_w"]


class Streams(Section):
    """Detectors that follow the errors one by one."""

    detectors: Annotated[tuple[DetectorName, ...], Field(min_length=1)] = Field(
        default=("scan",), description="Who follows the errors; the first one counts changes. All but scan are river's"
    )
    run_length: Annotated[float, Field(ge=1000, le=1e9)] = Field(
        default=400_000, description="Labelled rows between two false alarms of scan, on average"
    )
    warm_up: Annotated[int, Field(ge=100, le=100_000)] = Field(
        default=300, description="Labelled rows from which scan learns the level of the error before it may alarm"
    )
    shortest: Annotated[int, Field(ge=10, le=1000)] = Field(default=20, description="Shortest window that scan tries")
    longest: Annotated[int, Field(ge=100, le=1_000_000)] = Field(
        default=10_000, description="Longest window that scan tries"
    )
    trend_windows: Annotated[int, Field(ge=8, le=1000)] = Field(
        default=30, description="Newest windows of detection.error_window rows in which a trend is looked for"
    )
    confidence: Annotated[float, Field(gt=0, lt=1)] = Field(default=0.95, description="Of intervals")

    @model_validator(mode="after")
    def _spread(self) -> Self:
        if self.longest < 2 * self.shortest:
            raise ValueError(
                f"longest is {self.longest} and shortest {self.shortest}; give longest at least the double"
            )
        if len(set(self.detectors)) < len(self.detectors):
            raise ValueError(f"detectors names one twice: {', '.join(self.detectors)}; name each once")
        return self
