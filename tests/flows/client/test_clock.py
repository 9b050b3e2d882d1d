import os
import signal
import subprocess
import sys

import pytest

from flows.client.clock import lives_in_another_time, played_time
from registry.home import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "state").prepare()


def test_a_replayed_model_lives_in_another_time_until_the_replay_ends(settings):
    assert not lives_in_another_time(settings, "churn")
    with played_time(settings, "churn"):
        assert lives_in_another_time(settings, "churn")
        assert not lives_in_another_time(settings, "fraud")
    assert not lives_in_another_time(settings, "churn")


def test_a_killed_replay_leaves_no_mark(settings):
    code = (
        "import time; from flows.client.clock import played_time; from registry.home import Settings\n"
        "with played_time(Settings(), 'churn'): print('on', flush=True); time.sleep(60)"
    )
    environment = os.environ | {"UNDERSTUDY_HOME": str(settings.home)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment) as replay:
        replay.stdout.readline()
        assert lives_in_another_time(settings, "churn")
        replay.send_signal(signal.SIGKILL)

    assert not lives_in_another_time(settings, "churn")
