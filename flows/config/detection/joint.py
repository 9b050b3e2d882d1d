"""Drift that no single column shows."""

from typing import Annotated

from pydantic import Field

from flows.config.section import Count, Section

METRICS: dict[str, str] = {
    "joint_auc": "AUC of a classifier that tells window from reference, the columns' own drift taken out",
    "joint_p": "permutation p-value of that",
    "reconstruction_increase": "relative rise of the error of the reference's principal components",
    "reconstruction_p": "one-sided p-value of that rise",
    "correlation_p": "smallest adjusted p-value of a changed correlation between two columns",
    "joint_drift": "1 if columns depend on each other otherwise than in the reference, else 0",
}
"""What rules may name: metric and what it is."""

_Part = Annotated[float, Field(gt=0, lt=1)]


class Joint(Section):
    """Drift that no single column shows."""

    alpha: _Part = Field(default=0.01, description="False alarms per look, all three tests together")
    min_rows: Annotated[int, Field(ge=100)] = Field(
        default=1000, description="Below this, on either side, it is 'not enough data'"
    )
    rows: Count = Field(
        default=50_000,
        description="Rows per side that correlations and components are taken from; fewer beyond 100 columns",
    )
    classifier_rows: Annotated[int, Field(ge=0)] = Field(
        default=2000, description="Rows per side that the classifier sees; 0 does without it"
    )
    permutations: Annotated[int, Field(ge=19)] = Field(
        default=99,
        description="Refits with permuted labels at most; with fewer than 1 / alpha - 1 the classifier cannot be sure",
    )
    min_auc: Annotated[float, Field(ge=0.5, le=1)] = Field(default=0.55, description="Smallest AUC that matters")
    min_correlation: Annotated[float, Field(ge=0, le=2)] = Field(
        default=0.1, description="Smallest change of a correlation that matters"
    )
    min_reconstruction: Annotated[float, Field(ge=0)] = Field(
        default=0.05, description="Smallest relative rise of the reconstruction error that matters"
    )
    variance: _Part = Field(default=0.65, description="Share of the variance that the kept components hold")
    levels: Annotated[int, Field(ge=2, le=50)] = Field(
        default=6,
        description="Levels of a category that are looked at one by one, fewer in a table of categories",
    )
