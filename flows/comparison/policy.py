"""The promotion policy of a configuration, as the record that decisions are judged by."""

from flows.comparison.metrics import DEFAULT_METRIC
from flows.config.model import ModelConfig
from registry.records.policy import PromotionPolicy


def policy_of(config: ModelConfig) -> PromotionPolicy:
    """AUC or RMSE if no metric is named."""
    chosen = config.promotion.model_dump()
    metric = chosen.pop("metric") or DEFAULT_METRIC[config.task]
    return PromotionPolicy(metric=metric, **chosen)
