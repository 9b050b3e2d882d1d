"""Losses against the baseline, and estimates where labels are missing."""

from typing import Annotated

from pydantic import Field

from flows.config.section import Count, Section, Share

METRICS: dict[str, str] = {
    "accuracy": "share of right classes among the champion's own labelled rows",
    "accuracy_drop": "relative fall of the accuracy below that of the champion's holdout",
    "accuracy_below_floor": "1 if the accuracy is surely below its floor, else 0; not known where that is out of reach",
    "auc": "area under the ROC curve of the champion's own labelled rows",
    "auc_drop": "relative fall of the AUC below the holdout's",
    "pr_auc": "average precision of the champion's own labelled rows",
    "pr_auc_drop": "relative fall of the average precision below the holdout's",
    "f1": "F1 of the champion's own labelled rows",
    "f1_drop": "relative fall of F1 below the holdout's",
    "brier": "mean squared error of the probability, on the champion's own labelled rows",
    "brier_increase": "relative rise of the Brier score over the holdout's",
    "log_loss": "mean negative log-likelihood of the champion's own labelled rows",
    "log_loss_increase": "relative rise of the log loss over the holdout's",
    "calibration_error": "expected calibration error over ten bins, less what noise adds to it",
    "calibration_increase": "rise of the calibration error over the holdout's, in its own units",
    "mae": "mean absolute error of the champion's own labelled rows",
    "mae_increase": "relative rise of the MAE over the holdout's",
    "rmse": "root of the mean squared error of the champion's own labelled rows",
    "rmse_increase": "relative rise of the RMSE over the holdout's",
    "r2": "share of the labels' variance that is explained, on the champion's own labelled rows",
    "r2_drop": "relative fall of R2 below the holdout's",
    "kpi_drop": "largest relative fall of a KPI below its baseline",
    "degraded": "1 if any metric is surely worse than the baseline and beyond its threshold, else 0",
    "degradation_p": "smallest p-value of 'no worse than the baseline', adjusted over the metrics",
    "estimated_accuracy": "accuracy, estimated where labels are missing",
    "estimated_auc": "AUC, estimated where labels are missing",
    "estimated_loss": "Brier score or MAE, estimated where labels are missing",
    "estimated_increase": "relative rise of the estimated loss over the holdout's",
    "corrected_loss": "estimated loss, plus how far estimates were off where labels have arrived",
    "estimate_blind": "1 if estimates are shown to be off on the rows whose labels have arrived, else 0",
    "label_share": "share of the champion's rows whose labels have arrived",
    "absurd_share": "share of the champion's rows whose score is no usable number",
}
"""What rules may name: metric and what it is."""

Change = Annotated[float, Field(ge=0)]


class Performance(Section):
    """Losses against the baseline, and estimates where labels are missing."""

    confidence: Annotated[float, Field(ge=0.5, lt=1)] = Field(
        default=0.95,
        description="Of all intervals; at most half of the rest of looks without degradation are called degraded",
    )
    min_each_class: Count = Field(default=10, description="AUC and average precision need so many rows of each class")
    min_effective: Count = Field(
        default=30,
        description="Independent rows that a call needs; labelled rows that resemble their neighbours are fewer",
    )
    accuracy_drop: Change = Field(default=0.05, description="Relative, as all that are not named otherwise")
    auc_drop: Change = Field(default=0.05, description="Relative fall of the AUC from which on it is degradation")
    pr_auc_drop: Change = Field(
        default=0.10, description="Relative fall of the average precision from which on it is degradation"
    )
    f1_drop: Change = Field(default=0.10, description="Relative fall of F1 from which on it is degradation")
    brier_increase: Change = Field(
        default=0.10, description="Relative rise of the Brier score from which on it is degradation"
    )
    log_loss_increase: Change = Field(
        default=0.10, description="Relative rise of the log loss from which on it is degradation"
    )
    calibration_increase: Change = Field(default=0.05, description="In units of the calibration error")
    mae_increase: Change = Field(default=0.10, description="Relative rise of the MAE from which on it is degradation")
    rmse_increase: Change = Field(default=0.10, description="Relative rise of the RMSE from which on it is degradation")
    r2_drop: Change = Field(default=0.05, description="Relative fall of R2 from which on it is degradation")
    kpi_drop: Change = Field(default=0.10, description="Relative fall of a KPI from which on it is degradation")
    accuracy_floor: Share | None = Field(
        default=0.85, description="Not held against a champion whose own holdout was below it; null for none"
    )
    estimate: bool = Field(default=True, description="Estimate the metrics of rows without labels")
    min_unlabelled: Count = Field(default=100, description="Below this, nothing is estimated")
    blind_gap: Change = Field(
        default=0.02,
        description="Estimates that are surely off by more, relative to what is realised, are called blind",
    )
    most_fitted: Count = Field(
        default=20_000, description="Newest labelled rows that the model of losses learns from, and those that check it"
    )
