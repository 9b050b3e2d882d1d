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
        default=0.01, description="False discovery rate over all features, with correction bh"
    )
    min_effect: Annotated[float, Field(ge=0)] = Field(
        default=0.03, description="Smallest KS statistic or Cramer's V that matters"
    )
    season: Season = Season()
    joint: Joint = Joint()
    streams: Streams = Streams()
    performance: Performance = Performance()
    fusion: Fusion = Fusion()
    cadence: Cadence = Cadence()
    cooldown: Duration = Field(default=timedelta(days=1), description="No second retraining within")
    rules: tuple[Rule, ...] = (
        Rule(name="error rises", trigger="drift", condition="error_increase > 0.15 and error_p < 0.05"),
        Rule(
            name="worse than when trained",
            trigger="performance",
            condition="baseline_increase > 0.15 and baseline_p < 0.01",
        ),
        Rule(name="many features drift", trigger="drift", condition="drifted_features > 5"),
        Rule(name="any drift", trigger="drift", condition="drifted_features > 0", action="investigate"),
        Rule(name="old model", trigger="age", condition="age_days > 7 and new_rows > 1000"),
        Rule(name="new data", trigger="volume", condition="new_rows > 10000"),
    )
