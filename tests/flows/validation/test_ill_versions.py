"""Each ill version is rejected for its own reason, and leaves neither process nor file behind (`-m long`)."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from served_making_slow import SlowServer
from validation_making import FEATURES, a_config, a_frame, a_holdout, a_version, checks_of, linear, processes_of

from flows.validation.validate import validate
from registry.originals import original_spec, stored
from registry.records.upstream import UPSTREAM_FILE, Upstream
from registry.scoring.scorer import scorer_files

pytestmark = pytest.mark.long


def judged(settings, files, task="binary", holdout=None, **rules):
    config, version = a_config(task, **rules), a_version(task)
    report = validate(config, settings, version, files, holdout or a_holdout())
    print(report.markdown())
    assert not report.passed
    return checks_of(report)


def original(estimator, frame=None):
    """The files of a fitted pipeline that is served as it is."""
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline

    frame = a_frame() if frame is None else frame
    numbers = make_column_transformer(("passthrough", ["age"]))
    pipeline = make_pipeline(numbers, estimator).fit(frame, np.arange(frame.height) % 2)
    spec = original_spec("binary", ("age", "spent"), ("plan",), [feature.name for feature in FEATURES])
    return scorer_files(spec, stored(pipeline))


def test_scores_that_are_no_numbers_are_no_answers(settings):
    huge = linear(1.7e308, -1.7e308, 0.0)  # infinite minus infinite, where both are large
    seen = judged(settings, huge, holdout=a_holdout(frame=a_frame().with_columns(age=2.0, spent=2.0)))

    assert list(seen) == ["load", "answers"]
    assert "champion_not_finite" in seen["answers"].said


def test_a_slow_version_is_found_without_waiting_for_all_of_it(settings):
    with SlowServer(0.08) as server:
        asked = Upstream(url=server.url, protocol="json", request={"instances": "$rows"}, scores="/predictions")
        began = time.monotonic()
        seen = judged(settings, {UPSTREAM_FILE: asked.to_json()}, latency_ms=20.0, rows=50)

    assert not seen["latency"].passed
    assert seen["latency"].value > 80
    assert time.monotonic() - began < 25


def test_a_version_that_takes_too_much_memory_is_stopped(settings):
    from sklearn.neighbors import KNeighborsClassifier

    files = original(KNeighborsClassifier(algorithm="brute"), a_frame(3_000_000))
    seen = judged(settings, files, memory_mb=20.0)

    assert not seen["memory"].passed
    assert seen["memory"].value > 20
    assert list(seen) == ["memory"], "while it was loaded"


def test_files_that_disagree_with_the_pipeline_are_not_served(settings):
    seen = judged(settings, linear(0.5, -0.3, 0.7), holdout=a_holdout(linear()))

    assert [name for name, check in seen.items() if not check.passed] == ["parity"]
    assert seen["parity"].bound == 1e-4


def test_a_version_that_ends_the_router_when_it_is_loaded(settings, tmp_path, monkeypatch):
    from lightgbm import LGBMClassifier

    files = original(LGBMClassifier(n_estimators=2, verbose=-1))
    fake = tmp_path / "fake" / "lightgbm"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("import os; os.abort()")  # as its library does of some arrow types
    monkeypatch.setenv("PYTHONPATH", str(fake.parent))
    seen = judged(settings, files)

    assert list(seen) == ["load"]
    assert "did not survive it (load): Fatal Python error: Aborted" in seen["load"].said
    assert "lightgbm/__init__.py" in seen["load"].said


def test_a_version_whose_files_make_no_scorer_says_why(settings):
    files = linear()
    seen = judged(settings, files | {"scorer.json": files["scorer.json"][:-9]})

    assert list(seen) == ["load"]
    assert "The scorer was not loaded" in seen["load"].said


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise KeyError('income')", "KeyError: 'income'"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("import os; os.abort()", "ended by signal 6"),
        ("import subprocess, sys; subprocess.Popen(['sleep', '77']); assert 0, 'x' * 9999", "x" * 500),
        ("import time; time.sleep(99)", "did not end within"),
    ],
    ids=["raises", "exits", "aborts", "leaves a child", "hangs"],
)
def test_a_test_of_ones_own_may_do_what_it_likes(settings, tmp_path, monkeypatch, body, said):
    (tmp_path / "unruly.py").write_text(f"def ill(version):\n    {body}\ndef well(version):\n    pass\n")
    monkeypatch.chdir(tmp_path)
    hangs = "sleep(" in body
    seen = judged(settings, linear(), tests=["unruly:ill", "unruly:well"], rows=20, timeout="12s" if hangs else "5m")

    assert said in seen["test: unruly:ill"].said
    assert not [one for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == ["sleep", "77"]]
    assert seen["test: unruly:well"].passed is not hangs


RUN = """
import sys
sys.path.insert(0, {tests!r})
from validation_making import *
from registry.home import Settings
from flows.validation.validate import validate
validate(a_config(tests=["hangs:hangs"]), Settings(home={home!r}), a_version(), linear(), a_holdout())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_who_ends_a_validation_ends_its_processes(settings, gone, tmp_path, how):
    (tmp_path / "hangs.py").write_text("import time\ndef hangs(version):\n    time.sleep(99)\n")
    run = RUN.format(tests=str(Path(__file__).parent), home=str(settings.home))
    with subprocess.Popen([sys.executable, "-c", run], cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while not list(settings.run_dir.glob("validation-*/tests-0")) and time.monotonic() < until:
            time.sleep(0.1)
        assert len(processes_of(settings.home)) >= 2
        os.kill(process.pid, how)
        process.wait(30)
    took = gone()
    print(f"{how.name}: all gone after {took:.2f} s")

    assert processes_of(settings.home) == []
    if how != signal.SIGINT:  # whoever is killed cannot tidy up: the next one does
        assert len(list(settings.run_dir.iterdir())) == 1
        report = validate(a_config(rows=10), settings, a_version(), linear(), a_holdout())
        assert report.passed, report.said
