"""Section `training` of a model's YAML file."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, field_validator

from flows.config.durations import Duration
from flows.config.section import Count, Name, Period, Section

BUILT_IN = ("xgboost", "lightgbm", "forest", "mlp", "linear", "ensemble")
Family = Annotated[
    str,
    Field(
        pattern=r"^(?:" + "|".join(BUILT_IN) + r"|[A-Za-z_][\w.]*:[A-Za-z_]\w*)$", examples=[*BUILT_IN, "module:Class"]
    ),
]
"""A family that is built in, or the class of a scikit-learn-compatible estimator."""
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Value(Section):
    """What one decision is worth, in any currency; losses are negative."""

    true_positive: Finite = 0.0
    false_positive: Finite = 0.0
    true_negative: Finite = 0.0
    false_negative: Finite = 0.0


class Training(Section):
    """How a challenger is made."""

    window: Period | None = Field(default=timedelta(days=180), description="Newest rows to learn from; null = all")
    candidate_windows: tuple[Period | None, ...] = Field(
        default=(), description="Further windows; the one that is best on time-ordered validation wins"
    )
    since_champion: bool = Field(
        default=False, description="Also try a memory as long as what is new since the champion has learned"
    )
    recency: Period | None = Field(
        default=None, description="Age at which a row counts half in a fit; null: all count alike"
    )
    min_rows: Count = 10_000
    holdout: Annotated[float, Field(gt=0, lt=0.9)] = 0.2
    gap: Duration = Field(default=timedelta(0), description="Rows so close before what is judged are not learned from")
    grouped: bool = Field(default=False, description="A key that is judged on is never learned from")
    leakage: Literal["refuse", "warn", "off"] = Field(
        default="warn", description="What follows when a feature looks like the answer"
    )
    families: Annotated[tuple[Family, ...], Field(min_length=1)] = Field(
        default=("xgboost", "linear"), description="What is tried; `module:Class` names an estimator of your own"
    )
    trials: Annotated[int, Field(ge=0, le=1000)] = 50
    pruning: bool = Field(default=True, description="Cut hopeless trials off early")
    time_budget: Duration = timedelta(minutes=30)
    refit: bool = Field(default=True, description="After the comparison, refit on all rows, the holdout included")
    seed: int = 0
    threads: Annotated[int, Field(ge=1)] = 1
    calibration: Literal["none", "auto", "isotonic", "sigmoid"] = Field(
        default="none", description="How probabilities are corrected on newer rows than the fit has seen"
    )
    value: Value | None = Field(default=None, description="What each kind of decision is worth; chooses the threshold")
    device: Literal["cpu", "cuda"] = Field(default="cpu", description="Where XGBoost fits")
    engine: Literal["local", "dask", "storage"] = Field(
        default="local", description="Where trials run: processes here, a Dask cluster, or whoever shares the storage"
    )
    workers: Annotated[int, Field(ge=1, le=256)] = Field(default=1, description="Trials that run at once")
    dask: Name | None = Field(default=None, description="Address of the Dask scheduler; a local cluster if absent")
    storage: Name | None = Field(default=None, description="Optuna storage that workers share, e.g. postgresql://...")
    time_limit: Period = Field(default=timedelta(hours=2), description="After which a retraining is cancelled")

    @field_validator("families")
    @classmethod
    def _each_once(cls, families: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in families if families.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} is listed twice")
        return families

    def engine_mistakes(self) -> list[str]:
        """An engine needs what it runs on."""
        if self.engine == "storage" and self.storage is None:
            return ["training.engine is storage, and training.storage is missing"]
        if self.dask is not None and self.engine != "dask":
            return [f"training.dask is set, and training.engine is {self.engine}"]
        return []
