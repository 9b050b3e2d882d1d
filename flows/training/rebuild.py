"""The full rebuild: no memory is too long for it."""

from flows.config.model import ModelConfig


def rebuilt(config: ModelConfig) -> ModelConfig:
    """Learn from all rows there are, unless time-ordered validation prefers a window of the configuration."""
    training = config.training
    if training.window is None:
        return config
    windows = tuple(dict.fromkeys((training.window, *training.candidate_windows)))
    wider = training.model_copy(update={"window": None, "candidate_windows": tuple(w for w in windows if w)})
    return config.model_copy(update={"training": wider})
