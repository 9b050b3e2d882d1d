"""Load a version into a router of its own, ask it, and say whether it may leave staging."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from flows.config.model import ModelConfig
from flows.validation.checks import memory
from flows.validation.checks.answers import answers
from flows.validation.checks.bad_input import bad_input
from flows.validation.checks.latency import latency
from flows.validation.checks.own_tests import own_tests
from flows.validation.checks.slices import slices
from flows.validation.deadline import Clock, Deadline
from flows.validation.errors import NotLoaded, OutOfTime, RouterDied, ValidationUnavailable
from flows.validation.exam import Exam
from flows.validation.holdout import HeldOut
from flows.validation.lone_router import LoneRouter, settings_of, start_baseline
from flows.validation.memory_watch import MemoryWatch
from flows.validation.report import Check, ValidationReport
from flows.validation.rows import rows_for
from flows.validation.scratch import Stage, scratch_folder
from registry.errors import Refusal
from registry.home import Settings
from registry.records.version import ModelVersion

Look = Callable[[Exam], Sequence[Check]]
LOOKS: tuple[tuple[str, Look], ...] = (
    ("answers", answers),
    ("bad input", bad_input),
    ("latency", latency),
    ("memory", memory.memory),
    ("slices", slices),
    ("tests", own_tests),
)

_FIRST = ("load", "answers")


def validate(
    config: ModelConfig,
    settings: Settings,
    version: ModelVersion,
    files: Mapping[str, bytes],
    holdout: HeldOut,
    *,
    clock: Clock = time.monotonic,
) -> ValidationReport:
    """
    Serve *files* by a real router process of its own, and look whether they may answer callers.

    Neither the registry nor the router in use is touched; the version need not be registered. Whatever the
    version does is a failed check with its reason. No process and no file is left behind.

    Args:
        config: Names budgets, slices and tests; the section `validation`.
        settings: The scratch folder is made in its `run_dir`.
        version: As it would be registered; its digest is not looked at.
        files: Of its artifact.
        holdout: Rows to ask about; at least one.
        clock: Monotonic seconds.

    Raises:
        ValidationUnavailable: If not even an empty router starts here; the version was not judged.
        DataError: If there is no row, or a feature is no column.
    """
    asked = holdout.newest(config.validation.rows)
    rows = rows_for(config, version, asked.frame)
    deadline = Deadline(config.validation.timeout.total_seconds(), clock)
    with scratch_folder(settings) as folder, LoneRouter(settings_of(settings, folder)) as router:
        stage = Stage(router.settings, version)
        stage.set_baseline()
        start_baseline(router, stage.empty, deadline)
        with MemoryWatch(router, config.validation.memory_mb) as watch:
            exam = Exam(
                rules=config.validation,
                version=version,
                router=router,
                deadline=deadline,
                rows=rows,
                asked=asked,
                holdout=holdout,
                watch=watch,
                trivial=stage.empty,
                as_rows=lambda frame: rows_for(config, version, frame),
            )
            checks = list(_all_checks(exam, stage, files))
    return ValidationReport.of(checks, artifact=stage.digest, duration_s=deadline.spent)


def _all_checks(exam: Exam, stage: Stage, files: Mapping[str, bytes]) -> Iterator[Check]:
    """Look at one thing after the other; who does not load or answer is asked no further."""
    for name, look in (("load", lambda one: _load(one, stage, files)), *LOOKS):
        found, going = _guarded(name, exam, look)
        yield from found
        if not going or (name in _FIRST and not found[0].passed):
            return


def _load(exam: Exam, stage: Stage, files: Mapping[str, bytes]) -> list[Check]:
    stage.set_version(files)
    exam.router.wait_for(exam.version.model, exam.deadline)
    return [Check(name="load", passed=True, said="A router process loaded it.")]


def _guarded(name: str, exam: Exam, look: Look) -> tuple[Sequence[Check], bool]:
    """Turn whatever ends a look into a failed check; and say whether anything more can be asked."""
    try:
        found = look(exam)
        exam.router.refuse_dead()
    except RouterDied as died:
        if exam.watch.tripped:
            return [memory.stopped(exam, name)], False
        said = f"The router process did not survive it ({name}): {died}."
        return [Check(name="load" if name == "load" else "alive", passed=False, said=said)], False
    except NotLoaded as refused:
        return [Check(name=name, passed=False, said=f"The router did not load it: {refused}")], False
    except OutOfTime:
        return [_late(name, exam)], False
    except ValidationUnavailable:
        raise
    except Refusal as refusal:
        return [Check(name=name, passed=False, said=f"{refusal.what} {refusal.why}")], name not in _FIRST
    return found, True


def _late(name: str, exam: Exam) -> Check:
    bound = exam.rules.timeout.total_seconds()
    said = f"It was not done within {bound:g} s (validation.timeout); the time was up at: {name}."
    return Check(name="time", passed=False, value=round(exam.deadline.spent, 1), bound=bound, said=said)
