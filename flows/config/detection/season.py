"""Which rows of the past are like those of now."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from flows.config.section import Count, Period, Section

METRICS: dict[str, str] = {
    "lasting_features": "features that drifted in every one of the last looks (season.looks)",
    "season_features": "features that drifted from what their season lets expect",
}
"""What rules may name: metric and what it is."""

Name = Literal["hour", "weekday", "year"]


class Season(Section):
    """Which rows of the past are like those of now."""

    reference: Literal["training", "rolling", "season"] = Field(
        default="training",
        description="Compare with the training rows, with the rows just before, or with what the season lets expect",
    )
    rolling: Period = Field(default=timedelta(days=28), description="How far a rolling reference reaches back")
    seasons: Literal["auto"] | tuple[Name, ...] = Field(
        default="auto", description="Seasons of the features: hour, weekday, year; auto finds those that show"
    )
    waves: Annotated[int, Field(ge=1, le=12)] = Field(
        default=4, description="Harmonics of the year; more follow a season with sharper turns"
    )
    looks: Count = Field(default=2, description="Looks in a row that must see a drift before it is called lasting")
