"""From rows to a candidate, stage by stage; a finished stage is not repeated after a kill."""

import time
from dataclasses import dataclass, replace

from flows.comparison.scoring import TableScorer
from flows.data.contract.records import CONTRACT_FILE, Contract
from flows.data.gather import Extracted, Validated, contract_of, quarantine_file, validated
from flows.training.bench import Bench, lay_bench
from flows.training.candidate import fit_and_score, tune
from flows.training.describing import Candidate, describe
from flows.training.progress import Progress, within
from flows.training.scratch import Begun, Scratch, key_of
from flows.training.shop import Shop
from flows.validation.holdout import HeldOut
from registry.records.version import ModelVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A candidate, the rows that it is asked about before it leaves staging, and how the rows were found."""

    candidate: Candidate
    held_out: HeldOut
    rows: Validated


def trained(shop: Shop, event_id: str, progress: Progress) -> Trained:
    """
    Read, check, lay out, tune, fit and measure.

    Raises:
        DataError: If the rows cannot be learned from; NotEnoughData if there are too few.
        Unreachable: If a source does not answer.
        ParityRefused: If what would be served disagrees with what was fitted.
    """
    champion, scratch = shop.registry.champion(shop.model), Scratch.of(shop.settings, event_id)
    begun, started = scratch.begin(key_of(shop.config, champion), shop.clock()), time.monotonic()
    contract = contract_of(shop.artifacts, champion)
    progress(0.0, "Read rows")
    found = shop.step("extract", lambda: scratch.rows(lambda: shop.extract(contract, begun.as_of)), retries=3)
    progress(0.03, "Check rows against the contract")
    checked = shop.step("validate", lambda: _checked(shop, event_id, found, contract))
    progress(0.05, "Lay out what is judged on what")
    bench = shop.step("prepare", lambda: _bench(shop, champion, found, checked, begun, scratch))
    entries = shop.step("tune", lambda: scratch.entries(lambda: tune(bench, within(progress, 0.06, 0.84))))
    served, scored = shop.step("train", lambda: fit_and_score(bench, entries[0], within(progress, 0.84, 0.98)))
    progress(0.98, "Measure")
    made = shop.step("evaluate", lambda: describe(bench, entries, served, scored, time.monotonic() - started))
    files = {**made.files, CONTRACT_FILE: checked.contract.to_json()}
    return Trained(candidate=replace(made, files=files), held_out=_held_out(bench, made), rows=checked)


def _checked(shop: Shop, event_id: str, found: Extracted, contract: Contract | None) -> Validated:
    keep_in = quarantine_file(shop.settings, shop.model, event_id)
    return validated(shop.config, found, contract, keep_in=keep_in)


def _bench(
    shop: Shop, champion: ModelVersion | None, found: Extracted, checked: Validated, begun: Begun, scratch: Scratch
) -> Bench:
    return lay_bench(
        shop.config,
        checked.frame,
        champion=champion,
        champion_scorer=TableScorer(champion, shop.artifacts) if champion else None,
        seed=shop.config.training.seed,
        as_of=begun.as_of,
        journal=scratch.journal,
        source=found.source,
        data_version=found.version,
    )


def _held_out(bench: Bench, made: Candidate) -> HeldOut:
    return HeldOut(
        frame=bench.rows.cut(bench.holdout),
        labels=made.holdout.labels,
        challenger=made.holdout.challenger,
        champion=made.holdout.champion,
        expected=made.expected,
        unseen=made.holdout.unseen,
    )
