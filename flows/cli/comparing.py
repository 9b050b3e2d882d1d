"""From the words of `understudy compare` to what is asked of two files."""

from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from flows.errors import ConfigError

if TYPE_CHECKING:
    from flows.comparison.predictions import Ask
    from registry.records.policy import Guardrail

_WHAT = "Nothing was compared."
_NOT_OF_FILES = ("model", "champion", "challenger", "data", "all_rows", "report")
_LEAST_ROWS = 2
_SIDES = ("absolute", "relative", "higher", "lower")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The options of the command, as given."""

    model: str | None
    champion: str | None
    challenger: str | None
    data: Path | None
    all_rows: bool
    label: str | None
    positive: str | None
    score: str | None
    key: str | None
    time: str | None
    segment: list[str] | None
    kpi: list[str] | None
    covariate: str | None
    unpaired: bool
    shared: bool
    share: float | None
    task: Literal["binary", "regression"] | None
    metric: str | None
    direction: Literal["higher", "lower"] | None
    goal: list[str] | None
    guardrail: list[str] | None
    rule: Literal["superiority", "non_inferiority"] | None
    margin: float | None
    min_improvement: float | None
    alpha: float | None
    method: Literal["fixed", "always_valid", "group_sequential"] | None
    looks: int | None
    horizon: int | None
    min_rows: int | None
    report: Path | None

    def means_files(self) -> bool:
        """
        Whether predictions are compared, not versions.

        Raises:
            ConfigError: If one side is a file and the other one is not.
        """
        from flows.comparison.files import is_file

        kinds = [is_file(self.champion), is_file(self.challenger)]
        if kinds[0] != kinds[1]:
            file, other = ("--champion", "--challenger") if kinds[0] else ("--challenger", "--champion")
            given = self.challenger if kinds[0] else self.champion
            why = f"{file} is a file, but {other} is {'absent' if given is None else f'{given!r}, which is none'}."
            raise ConfigError(_WHAT, why, "Give two files of predictions, or two versions.")
        return kinds[0]

    def refuse_file_options(self) -> None:
        """
        Make sure that no option is silently ignored.

        Raises:
            ConfigError: With all that belong to files.
        """
        given = [one.name for one in fields(self) if one.name not in _NOT_OF_FILES and self._given(one.name)]
        if given:
            named = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            why = f"{named} {'belongs' if len(given) == 1 else 'belong'} to files of predictions."
            mend = "Give files by --champion and --challenger; versions are judged by the policy in the model's file."
            raise ConfigError(_WHAT, why, mend)
        if self.all_rows and self.data is None:
            raise ConfigError(_WHAT, "--all-rows belongs to --data.", "Give a table by --data.")

    def refuse_report(self) -> None:
        """
        Make sure that a report can be written, before anything is computed.

        Raises:
            ConfigError: If its path cannot be that of a file.
        """
        if self.report is None:
            return
        if self.report.is_dir():
            raise ConfigError(_WHAT, f"--report {self.report} is a folder.", "Give a file in it, e.g. report.html.")
        if not self.report.parent.is_dir():
            why = f"--report {self.report} lies in no folder: {self.report.parent} does not exist."
            raise ConfigError(_WHAT, why, f"Make it: `mkdir -p {self.report.parent}`.")

    def _given(self, name: str) -> bool:
        value = getattr(self, name)
        return value is not None and value is not False and value != []

    def ask(self, at: datetime | None) -> "Ask":
        """
        The question, as `flows.comparison.predictions` answers it.

        What is wrong with the options is told together with what is wrong in the files.
        """
        from flows.comparison.files import Wanted
        from flows.comparison.predictions import Ask

        mistakes = self._mistakes()
        guards = tuple(_guardrail(one, mistakes) for one in self.guardrail or ())
        assert self.champion is not None
        assert self.challenger is not None
        columns = Wanted(
            label=self.label,
            positive=self.positive,
            score=self.score,
            key=self.key,
            time=self.time,
            segments=tuple(self.segment or ()),
            covariate=self.covariate,
        )
        return Ask(
            champion=self.champion,
            challenger=self.challenger,
            model=self.model or "predictions",
            columns=columns,
            kpis=tuple(self.kpi or ()),
            task=self.task,
            pairing="unpaired" if self.unpaired else "shared" if self.shared else "auto",
            metric=self.metric,
            goals=tuple(self.goal or ()),
            guardrails=tuple(one for one in guards if one is not None),
            policy=self._policy(),
            share=self.share,
            at=at,
            mistakes=tuple(mistakes),
        )

    def _mistakes(self) -> list[str]:
        found = []
        if self.data is not None or self.all_rows:
            found.append("--data and --all-rows belong to versions, but files of predictions were given")
        if self.unpaired and self.shared:
            found.append("--unpaired are different callers, --shared the same ones: give one of them")
        if self.share is not None and not 0 < self.share < 1:
            found.append(f"--share {self.share:g} does not lie strictly between 0 and 1")
        if self.min_rows is not None and self.min_rows < _LEAST_ROWS:
            found.append(f"--min-rows {self.min_rows} is less than {_LEAST_ROWS}")
        return found

    def _policy(self) -> dict[str, Any]:
        given: dict[str, Any] = {
            "direction": self.direction,
            "rule": self.rule,
            "margin": self.margin,
            "min_improvement": self.min_improvement,
            "alpha": self.alpha,
            "method": self.method,
            "looks": self.looks,
            "horizon": self.horizon,
        }
        if self.min_rows is not None and self.min_rows >= _LEAST_ROWS:
            given |= {"min_holdout": self.min_rows, "min_labelled": self.min_rows}
        return {name: value for name, value in given.items() if value is not None}


def _guardrail(text: str, mistakes: list[str]) -> "Guardrail | None":
    """brier:0.02, latency:5:absolute:lower."""
    from registry.records.policy import Guardrail

    metric, _, rest = text.partition(":")
    amount, *sides = rest.split(":")
    try:
        margin = float(amount)
    except ValueError:
        mistakes.append(f"--guardrail {text!r} is not METRIC:MARGIN, e.g. brier:0.02")
        return None
    strange = [side for side in sides if side not in _SIDES]
    both = [pair for pair in (_SIDES[:2], _SIDES[2:]) if set(pair) <= set(sides)]
    if strange or both or not metric:
        mistakes.append(f"--guardrail {text!r} is not METRIC:MARGIN, then {' or '.join(_SIDES[:2])}, higher or lower")
        return None
    direction: Any = next((side for side in sides if side in ("higher", "lower")), None)
    return Guardrail(metric=metric, margin=margin, relative="absolute" not in sides, direction=direction)
