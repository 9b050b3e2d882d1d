"""What the registry says when its disk is full: a real file system without room."""

import subprocess
from datetime import UTC, datetime

import pytest

from registry.errors import StoreUnavailable
from registry.store.registry import Registry


@pytest.fixture
def small(tmp_path):
    """A file system of two megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_refuses_says_so_and_leaves_what_was_there(small):
    def note(registry, reason):
        now = datetime.now(UTC)
        return registry.record(actor="ann", action="noted", model="churn", subject="x", reason=reason, at=now)

    with Registry.open(f"sqlite:///{small}/registry.sqlite") as registry:
        note(registry, "there is room")
        with (small / "fill").open("wb", buffering=0) as fill, pytest.raises(OSError, match="No space"):
            while True:
                fill.write(b"0" * 4096)
        with pytest.raises(StoreUnavailable, match="Make room"):
            for number in range(2000):
                note(registry, f"{number} " * 100)
        (small / "fill").unlink()
        note(registry, "there is room again")

        reasons = [entry.reason for entry in registry.audit("churn", action="noted", limit=5000)]
        assert (reasons[0], reasons[-1]) == ("there is room again", "there is room")
