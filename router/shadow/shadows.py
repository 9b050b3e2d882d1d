"""Follow the workers' segments, and hand every version what it must see."""

import errno
import json
import logging
import time
from collections import deque
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from threading import Lock

from registry.eventlog.events import Shadowed
from registry.eventlog.segments import PREDICTIONS, SHADOWS, SegmentReader, SegmentWriter
from registry.records.version import ModelVersion
from router.lastgood import replace_file
from router.shadow.copies import BLOCK, Block, Copy, Key, copies_of
from router.shadow.follower import Follower
from router.shadow.limits import Limits
from router.shadow.sitter import Sitter

log = logging.getLogger("understudy.shadow")
Copies = dict[str, dict[str, dict[str, int]]]
_HELD = 8 << 20
_REMEMBER_S = 0.2


class Shadows:
    """
    All versions that watch; each has a thread here and a process of its own.

    Attributes:
        copies: How many lines were written, by model, version and what became of the copy.

    Args:
        position: File with the offset in each segment before which every copy has its line;
            written after the lines. Killed in between, the process scores the same copies
            again, and the index keeps the first line of each.
        version_of: Looks a version up; None if the registry does not hold it.
        hire: Makes the keeper of a version's process.
    """

    def __init__(
        self,
        events_dir: Path,
        position: Path,
        version_of: Callable[[str, str], ModelVersion | None],
        hire: Callable[[ModelVersion], Sitter],
        limits: Limits,
    ) -> None:
        self._reader = SegmentReader(events_dir, (PREDICTIONS,))
        self._writer, self._writing = SegmentWriter(events_dir, SHADOWS), Lock()
        self._position, self._limits = position, limits
        self._version_of, self._hire = version_of, hire
        self._offsets = self._recall()
        self._remembered, self._remembered_at = dict(self._offsets), 0.0
        self._open: deque[Block] = deque()
        self.followers: dict[Key, Follower] = {}
        self.copies: Copies = {}

    def look(self) -> int:
        """
        Hand out everything written so far; returns how many copies were seen.

        Raises:
            OSError: If the log cannot be read, or does not take what was dropped.
        """
        seen = 0
        for path, offset, size in self._reader.unread(lambda name: self._offsets.get(name, 0)):
            at = offset
            while at < size:
                payloads, end = self._reader.payloads(path, at, BLOCK)
                if end == at:
                    break
                seen += self._hand_out(path, at, end, copies_of(payloads))
                at = self._offsets[path.name] = end
                self._settle()
        self._settle()
        return seen

    def counted(self) -> Copies:
        """What `copies` says now."""
        with self._writing:
            return deepcopy(self.copies)

    def wait(self, seconds: float) -> bool:
        """Until every copy that was handed out has its line; False if one has none yet."""
        end = time.monotonic() + seconds
        done = all(follower.wait(end - time.monotonic()) for follower in list(self.followers.values()))
        self.remember(at_once=True)
        return done

    def close(self) -> None:
        """Finish what is under way and end all processes."""
        for follower in self.followers.values():
            follower.stop()
        self.remember(at_once=True)
        self._writer.close()

    def remember(self, *, at_once: bool = False) -> None:
        """Write down how far all versions are; now and then, unless *at_once*."""
        if not at_once and time.monotonic() - self._remembered_at < _REMEMBER_S:
            return
        while self._open and not self._open[0].left:
            self._open.popleft()
        offsets = dict(self._offsets)
        for block in list(self._open):
            if block.left:
                offsets[block.path.name] = min(offsets[block.path.name], block.start)
        if offsets == self._remembered:
            return
        self._position.parent.mkdir(parents=True, exist_ok=True)
        # After a power cut copies are scored again; and a sync here would make the router's own writes wait.
        replace_file(self._position, json.dumps(offsets).encode(), durable=False)
        self._remembered, self._remembered_at = offsets, time.monotonic()

    def _settle(self) -> None:
        for follower in list(self.followers.values()):
            follower.shed()
        self.remember()

    def _hand_out(self, path: Path, start: int, end: int, copies: list[Copy]) -> int:
        keys = {(copy.model, version) for copy in copies for version in copy.shadows}
        if not keys:
            return 0
        held = copies if sum(block.size for block in self._open if block.held is not None) < _HELD else None
        block = Block(path, start, end, held, len(keys))
        self._open.append(block)
        self._offsets[path.name] = end  # before anybody can be done with it
        for key in sorted(keys):
            self._follower(key).add(block)
        return sum(len(copy.shadows) for copy in copies)

    def _follower(self, key: Key) -> Follower:
        if key not in self.followers:
            log.info("shadow %s %s begins to watch", *key)
            self.followers[key] = Follower(key, self._limits, self._write, self._version_of, self._hire)
            self.followers[key].start()
        return self.followers[key]

    def _write(self, lines: list[Shadowed]) -> None:
        with self._writing:
            if not self._writer.append(lines):
                raise OSError(errno.ENOSPC, "The event log takes no more; these copies are scored again later.")
            for line in lines:
                count = self.copies.setdefault(line.model, {}).setdefault(line.version, {})
                became = line.dropped or line.error or "scored"
                count[became] = count.get(became, 0) + 1

    def _recall(self) -> dict[str, int]:
        try:
            found: dict[str, int] = json.loads(self._position.read_bytes())
        except (OSError, ValueError):
            return {}
        here = {path.name for path in self._reader.segments()}
        return {name: offset for name, offset in found.items() if name in here} if here else found
