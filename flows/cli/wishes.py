"""What a person wants of one rollout, other than its configuration says: strategy, steps, speed."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.errors import ConfigError

if TYPE_CHECKING:
    from flows.config.model import ModelConfig

_STEP = re.compile(r"(?P<share>shadow|\d+(?:\.\d+)?\s*%)\s*:\s*(?P<min>[^-~]+)(?:-(?P<max>.+))?")
_WRITE = 'Write a share, the shortest and, if you like, the longest stay: "shadow:7d-14d,10%:1d,50%:2d,100%:0s".'

Strategy = Annotated[
    str | None,
    typer.Option(help="direct, shadow, canary, gradual, ab, bandit or shadow+canary; the configured one if absent."),
]
Steps = Annotated[
    str | None,
    typer.Option(help="Steps of its own, e.g. 'shadow:7d-14d,10%:1d,50%:2d,100%:0s'.", metavar="SHARE:MIN[-MAX],..."),
]
Speed = Annotated[
    float | None, typer.Option(help="Divide every time by it, for trying out: at 1440 a day takes a minute.")
]


def wished(config: "ModelConfig", *, strategy: str | None, steps: str | None, speed: float | None) -> "ModelConfig":
    """
    Put what a person wants in place of the section `rollout`.

    Args:
        config: Of the model; comes back as it is if nothing is wanted.
        strategy: Instead of the configured one; steps of one's own in the configuration do not count then.
        steps: e.g. "10%:1d,50%:2d,100%:0s".
        speed: Every time is divided by it.

    Raises:
        ConfigError: With every mistake at once.
    """
    from pydantic import ValidationError

    from flows.config.rollout import RolloutConfig

    wanted, mistakes = _changes(strategy, steps, speed)
    if not wanted and not mistakes:
        return config
    try:
        section = RolloutConfig.model_validate(config.rollout.model_dump() | wanted)
    except ValidationError as error:
        together = not any(one.startswith("--steps") for one in mistakes)
        mistakes += [_said(one) for one in error.errors() if one["loc"] or together]
    if mistakes:
        raise ConfigError("No rollout was begun.", "; ".join(mistakes) + ".", _WRITE)
    return config.model_copy(update={"rollout": section})


def _changes(strategy: str | None, steps: str | None, speed: float | None) -> tuple[dict[str, Any], list[str]]:
    wanted: dict[str, Any] = {} if speed is None else {"speed": speed}
    mistakes: list[str] = []
    if strategy is not None:
        wanted |= {"strategy": strategy, "steps": ()}
    if steps is not None:
        read = [(one.strip(), _step(one.strip())) for one in steps.split(",")]
        wrong = [text for text, step in read if step is None]
        mistakes += [f"--steps: {text!r} is no step" for text in wrong]
        wanted |= {"strategy": strategy or "custom", "steps": tuple(step for _, step in read if step is not None)}
    if strategy not in (None, "custom") and steps is not None:
        mistakes.append("--strategy and --steps exclude each other")
    return wanted, mistakes


def _step(text: str) -> dict[str, Any] | None:
    found = _STEP.fullmatch(text)
    if found is None:
        return None
    share = 0.0 if found["share"] == "shadow" else round(float(found["share"].rstrip("% ")) / 100, 8)
    step: dict[str, Any] = {"share": share, "min": found["min"].strip()}
    step |= {"max": found["max"].strip()} if found["max"] else {}
    return step | ({"min_labelled": 0} if share == 1 else {})


def _said(error: Any) -> str:
    place = [str(part) for part in error["loc"]]
    what = error["msg"].removeprefix("Value error, ").removeprefix("Input ").partition(", unable to")[0]
    if place[:1] == ["steps"] and len(place) > 2:
        return f"--steps: step {int(place[1]) + 1}, {place[2]}: {what}"
    name = f"--{place[0]}: " if place else "--"
    given = "" if error["type"] == "value_error" else f" (given: {error['input']!r})"
    return f"{name}{what}{given}"
