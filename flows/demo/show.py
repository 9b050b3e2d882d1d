"""Generate the stream, play it, judge it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flows.config.load import load_config
from flows.demo.leads import drift_starts, leads
from flows.demo.phases import Phase, phases
from flows.errors import ConfigError
from flows.replay.batches import Batch
from flows.replay.player import Audience, Options
from flows.replay.run import free_name, replay
from flows.replay.summary import Summary
from registry.home import Settings
from registry.records.rollout import Step

CONFIG = Path(__file__).with_name("leads.yaml")
ROWS = 9_000
LEAST_ROWS = 5_000
SEED = 7
# Straight to the canary, without shadow: only the guards stand between it and the callers.
BAD_STEPS = (
    Step(share=200_000, min_s=86_400, max_s=259_200, min_labelled=50),
    Step(share=1_000_000, min_s=86_400, max_s=259_200, min_labelled=50),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the demo showed."""

    summary: Summary
    phases: tuple[Phase, ...]

    @property
    def passed(self) -> bool:
        """Whether every phase did what it should."""
        return all(phase.passed for phase in self.phases)


def demo(settings: Settings, audience: Audience, *, rows: int = ROWS, seed: int = SEED) -> Shown:
    """
    Play the stream of leads through the live system, which must be up.

    Args:
        settings: Of the live system.
        audience: Who is told.
        rows: Length of the stream; its last row comes now.
        seed: Of the generator.

    Raises:
        ConfigError: If there are too few rows for all phases.
    """
    refuse_short(rows)
    end = datetime.now(UTC).replace(second=0, microsecond=0)
    config = load_config(CONFIG)
    table = settings.replays_dir / f"leads-{seed}-{rows}-{end:%Y%m%d%H%M}.parquet"
    leads(rows, seed=seed, end=end).write_parquet(table)
    options = Options(
        name=free_name(settings, config.model),
        batch=Batch.of("12h"),
        first=0.2,
        bad_at=0.60,
        bad_steps=BAD_STEPS,
        ticks=2,
    )
    summary = replay(settings, config, table, options, audience)
    return Shown(summary=summary, phases=phases(summary, drift_starts(rows, end)))


def refuse_short(rows: int) -> None:
    """Make sure that every phase has its rows."""
    if rows < LEAST_ROWS:
        raise ConfigError("The demo was not started.", f"{rows} rows are too few.", f"Use at least {LEAST_ROWS}.")
