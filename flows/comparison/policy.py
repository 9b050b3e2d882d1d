"""The promotion policy of a configuration, as the record that decisions are judged by."""

from flows.config.model import ModelConfig
from flows.config.promotion import default_guardrails
from registry.records.policy import Guardrail, PromotionPolicy, default_improvement


def configured_policy(config: ModelConfig) -> PromotionPolicy:
    """Turn the configured policy into the record; what is not configured has its default here."""
    promotion = config.promotion
    metric, least = promotion.primary(config.task), promotion.min_improvement
    return PromotionPolicy(
        metric=metric,
        min_improvement=default_improvement(metric) if least is None else least,
        guardrails=configured_guardrails(config),
        min_label_age_s=promotion.min_label_age.total_seconds(),
        **promotion.model_dump(exclude={"metric", "min_improvement", "guardrails", "min_label_age"}),
    )


def configured_guardrails(config: ModelConfig) -> tuple[Guardrail, ...]:
    """Those configured; else the margins of the router's guards, for every KPI."""
    given, guards = config.promotion.guardrails, config.guards
    if given is not None:
        return tuple(one.record() for one in given)
    return default_guardrails(
        config.promotion,
        config.data.kpis,
        latency_increase=guards.latency_increase,
        error_rate=guards.error_rate,
        kpi_drop=guards.kpi_drop,
    )
