"""Section `data` of a model's YAML file, and `features`."""

from datetime import timedelta
from typing import Literal

from pydantic import Field, field_validator

from flows.config.durations import Duration
from flows.config.section import Name, Period, Section, Share


class Features(Section):
    """Columns that the model may see."""

    numeric: tuple[Name, ...] = ()
    categorical: tuple[Name, ...] = ()
    dates: tuple[Name, ...] = Field(
        default=(), description="Dates, of which the model sees hour of the day, weekday and day of the year"
    )

    @property
    def names(self) -> tuple[str, ...]:
        """All feature columns, numeric first, categories last."""
        return (*self.numeric, *self.dates, *self.categorical)

    @property
    def numbers(self) -> tuple[str, ...]:
        """Columns that hold numbers once a table is prepared: dates are epoch seconds."""
        return (*self.numeric, *self.dates)

    @property
    def compared(self) -> tuple[str, ...]:
        """Columns whose distribution may stay as it is: dates never do."""
        return (*self.numeric, *self.categorical)


class Data(Section):
    """Where the time-ordered table is and what its columns mean."""

    source: Name | None = Field(
        default=None, description="Table, database or code to read from; ${NAME} reads the environment"
    )
    table: Name | None = Field(default=None, description="Table of a database; or `query`")
    query: Name | None = Field(default=None, description="SELECT of a database; or `table`")
    time: Name | None = Field(default=None, description="Time column; without one, rows are `row_every` apart")
    row_every: Period = Field(default=timedelta(minutes=1), description="Distance of rows without a time column")
    key: Name | None = Field(default=None, description="Column of the caller's stable id; row number if absent")
    positive: str | int | None = Field(default=None, description="Value of the target that counts as 1")
    classes: tuple[Name, ...] = Field(default=(), description="Values of the target, if the task is multiclass")
    kpis: dict[Name, Name] = Field(default_factory=dict, description="KPI name -> column, e.g. revenue")
    incremental: bool = Field(
        default=False, description="Ask a source that grows only for rows newer than those read before"
    )
    deduplicate: bool = Field(default=True, description="Leave out rows that repeat another one in every column")
    contract: Literal["off", "report", "quarantine", "refuse"] = Field(
        default="quarantine", description="What becomes of rows that break the contract of the champion's data"
    )
    most_quarantined: Share = Field(default=0.05, description="Share of such rows above which nothing is trained")
    label_delay: Duration = Field(default=timedelta(days=1), description="How long labels take to arrive")

    @field_validator("positive", mode="before")
    @classmethod
    def _truth(cls, value: object) -> object:
        """YAML reads a bare yes as true."""
        return str(value).lower() if isinstance(value, bool) else value

    def sql_mistakes(self) -> list[str]:
        """A database needs exactly one of table and query, and nothing else has one; newer needs a time."""
        if self.incremental and self.time is None:
            return ["data.incremental is set, and data.time is missing", *self._sql_mistakes()]
        return self._sql_mistakes()

    def _sql_mistakes(self) -> list[str]:
        named = [name for name in ("table", "query") if getattr(self, name) is not None]
        if is_database(self.source) and len(named) != 1:
            return [f"data.source is a database: name one of data.table and data.query, not {len(named)}"]
        if named and not is_database(self.source):
            return [f"data.{name} is for databases, and data.source is {self.source!r}" for name in named]
        return []


def is_database(source: str | None) -> bool:
    """Whether *source* is the address of a database."""
    return source is not None and source.split("://")[0] in ("sqlite", "postgres", "postgresql") and "://" in source
