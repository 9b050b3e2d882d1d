"""Classes that have numbers already keep them: labels and predictions in the log are these numbers."""

from contextlib import suppress

from flows.config.model import ModelConfig
from flows.errors import ConfigError
from registry.errors import StoreUnavailable
from registry.home import Settings
from registry.reader import PlanReader
from registry.records.plan import CHAMPION
from registry.records.version import ModelVersion


def refuse_other_classes(config: ModelConfig, settings: Settings) -> None:
    """
    Hold a configuration against the version in production, if there is one and the registry can be read.

    Raises:
        ConfigError: If the task became multiclass or ceased to be, or a class would get another number.
    """
    champion = _champion(config.model, settings)
    if champion is None or "multiclass" not in (champion.task, config.task):
        return
    what, mend = f"{config.model} was not registered.", "Add new classes behind these, or name another model."
    if champion.task != config.task:
        why = f"task is {config.task}, and that of {champion.version}, in production, is {champion.task}."
        raise ConfigError(what, why, "Name another model: the two cannot be compared.")
    if config.data.classes[: len(champion.classes)] != champion.classes:
        known = ", ".join(champion.classes)
        why = f"data.classes must begin with {known}, in this order: the log has their numbers."
        raise ConfigError(what, why, mend)


def _champion(model: str, settings: Settings) -> ModelVersion | None:
    with suppress(StoreUnavailable), PlanReader(settings.registry_url) as reader:
        plan = reader.plan(model)
        return None if plan is None else reader.version(model, plan.version_of(CHAMPION))
    return None
