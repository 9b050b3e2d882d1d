"""When to worry; thresholds are those of the named rules."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from flows.config.detection.cadence import Cadence
from flows.config.detection.fusion import Fusion
from flows.config.detection.joint import Joint
from flows.config.detection.performance import Performance
from flows.config.detection.season import Season
from flows.config.detection.streams import Streams
from flows.config.durations import Duration
from flows.config.section import Count, Name, Section, Share

Action = Literal["retrain", "investigate", "investigate_and_retrain"]


class Rule(Section):
    """Any rule that fires triggers its action."""

    name: Name
    trigger: Literal["drift", "performance", "age", "volume", "schedule"]
    condition: str = Field(description="Over named metrics, e.g. 'error_increase > 0.15 and labelled >= 100'")
    action: Action = "retrain"


class Detection(Section):
    """When to worry; thresholds are those of the named rules."""

    window: Count = Field(default=1000, description="Newest rows that are compared with the reference")
    min_rows: Count = Field(default=1000, description="Below this, data drift is 'not enough data'")
    min_labelled: Count = Field(default=100, description="Below this, errors are 'not enough data'")
    psi: Annotated[float, Field(gt=0)] = 0.2
    ks_p: Annotated[float, Field(gt=0, lt=1)] = 0.05
    outlier_share: Share = 0.05
    error_increase: Annotated[float, Field(gt=0)] = 0.15
    error_window: Count = 100
    correction: Literal["bh", "none"] = "bh"
    fdr: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.01,
        description="False discovery rate over all features, with correction bh; p-values count five times for it",
    )
    min_effect: Annotated[float, Field(ge=0)] = Field(
        default=0.03,
        description="Smallest effect that matters: D of a normal that moved as far as the bulk (0.03: .075 sd), or V",
    )
    season: Season = Season()
    joint: Joint = Joint()
    streams: Streams = Streams()
    performance: Performance = Performance()
    fusion: Fusion = Fusion()
    cadence: Cadence = Cadence()
    cooldown: Duration = Field(default=timedelta(days=1), description="No second retraining within")
    rules: tuple[Rule, ...] = (
        Rule(name="error rises", trigger="drift", condition="error_increase > 0.15 and error_p < 0.01"),
        Rule(
            name="sudden rise",
            trigger="drift",
            condition="stream_alarm > 0 and error_change > 0.1 and confidence > 0.5",
        ),
        Rule(
            name="creeping rise",
            trigger="drift",
            condition="error_trend_p < 0.01 and error_trend_rise > 0.15 and confidence > 0.5",
        ),
        Rule(name="worse than when trained", trigger="performance", condition="degraded > 0 and confidence > 0.5"),
        Rule(name="a refit would win back", trigger="drift", condition="recoverable > 0.05 and recoverable_p < 0.01"),
        Rule(name="harm is likely", trigger="performance", condition="confidence > 0.8 and severity >= 2"),
        Rule(name="many features drift", trigger="drift", condition="high_drift_features > 5"),
        Rule(name="any drift", trigger="drift", condition="drifted_features > 0", action="investigate"),
        Rule(name="joint drift", trigger="drift", condition="joint_drift > 0", action="investigate"),
        Rule(name="old model", trigger="age", condition="age_days > 7 and new_rows > 1000"),
        Rule(name="new data", trigger="volume", condition="new_rows > 10000"),
    )
