"""
What the processes of one state folder know of each other: shared memory, no disk, no registry.

A file of fixed size is allocated once and mapped by every process, so nothing here waits for a
disk or notices a full one. Each process owns one slot with two buffers and writes its whole
report into the older of them: generation, length and checksum first, then the report. A process
killed in mid-write leaves the newer buffer as it was, and a reader takes the newest one that is
whole. The report of a dead process stays, and who takes its slot goes on with its counts.
"""

import errno
import mmap
import os
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from router.process import alive, started
from router.report import Report, Role, Seen, decoded, encoded
from router.shared import SharedFile, locked

FILE = "board-2"
"""Its name has the number of its layout: processes of two versions of this program do not take it from each other."""
_MAGIC = b"understudy-board-2"
_HEAD = 4096
SLOTS = 72
BUFFER = 64 << 10
_OWNER = struct.Struct("<QQ")  # process id, its start
_GENERATION = struct.Struct("<Q")
_BEAT = struct.Struct("<d")
_SEAL = struct.Struct("<QII")  # generation, length, checksum
_SLOT = 64 + 2 * BUFFER
SIZE = _HEAD + SLOTS * _SLOT
RETRY_S = 5.0
_FIRST_WAIT_S, _WAIT_S = 5.0, 0.05


class Board:
    """
    One process's view of the shared memory, and its own slot in it.

    Use `open`, or `join` where nobody can be told that there is none. May be used by one thread at a time.
    A file that was removed, shortened or replaced meanwhile is noticed, made anew and entered again.

    Attributes:
        slot: Its number; -1 while there is none.
        inherited: The last report of the dead process whose slot this was; its counts go on here. Who has
            taken them in sets it to None.
        cut: Whether the last report was too long, and its first tallies were left out.
        trouble: Why it cannot be used; None if it can.
    """

    def __init__(self, folder: Path, role: Role, clock: Callable[[], float]) -> None:
        self._folder, self._role, self._clock = folder, role, clock
        self._file: SharedFile | None = None
        self._memory: mmap.mmap
        self._known: dict[int, tuple[int, int, Report]] = {}
        self._generation, self._which, self._retry_at = 0, 0, -RETRY_S
        self.slot, self.cut = -1, False
        self.inherited: Report | None = None
        self.trouble: str | None = None

    @classmethod
    def open(cls, folder: Path, role: Role, clock: Callable[[], float] = time.monotonic) -> Self:
        """
        Map the board of *folder*, made if there is none, and take a slot.

        Args:
            clock: Seconds, the same for all processes of the machine.

        Raises:
            OSError: If the folder cannot be written, the disk has no room for it, or no slot is free.
        """
        folder.mkdir(parents=True, exist_ok=True)
        board = cls(folder, role, clock)
        board._enter(_FIRST_WAIT_S)
        return board

    @classmethod
    def join(cls, folder: Path, role: Role, clock: Callable[[], float] = time.monotonic) -> Self:
        """Open it if that is possible; if not, it says its `trouble`, and tries again every 5 seconds."""
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        board = cls(folder, role, clock)
        board.mend()
        return board

    def mend(self) -> bool:
        """Whether it can be used now; enters it anew where others would not find this process any more."""
        usable = self._file is not None and self._file.usable
        if usable and self._file is not None and self._file.current:
            return True
        if self._clock() >= self._retry_at:
            self._retry_at = self._clock() + RETRY_S
            try:
                self._enter(_WAIT_S)
            except OSError as error:
                self.trouble = f"it could not be opened: {error.strerror or error}"
            else:
                return True
        if not usable:
            self._leave()
        return usable

    def publish(self, report: Report) -> None:
        """Replace this process's report; the others see the old or the new one, whole."""
        if not self.mend():
            return
        report.role = self._role
        payload, self.cut = encoded(report, BUFFER - _SEAL.size)
        self._generation += 1
        self._which = 1 - self._which
        seal = _SEAL.pack(self._generation, len(payload), _checksum(self._generation, payload))
        self._put(self._buffer(self.slot, self._which), seal + payload)
        self._write(_OWNER.size, _BEAT.pack(self._clock()))

    def read(self) -> list[Seen]:
        """Every slot that ever held a report, this process's own included."""
        if not self.mend():
            return []
        found, now = [], self._clock()
        for slot in range(SLOTS):
            report = self._report(slot)
            if report is not None:
                pid, start = self._owner(slot)
                (beat,) = _BEAT.unpack_from(self._memory, _HEAD + slot * _SLOT + _OWNER.size)
                found.append(Seen(slot, pid, alive(pid, start), max(now - beat, 0.0), report))
        return found

    def close(self) -> None:
        """Give the slot back; its counts stay for the next process."""
        if self._file is not None and self._file.usable:
            self._write(0, _OWNER.pack(0, 0))
        self._leave()

    def _enter(self, wait_s: float) -> None:
        with locked(self._folder / "board.lock", wait_s):
            file = SharedFile(self._folder / FILE, _MAGIC, SIZE)  # a refusal leaves the present one as it is
            self._leave()
            self._file, self._memory = file, file.memory
            try:
                self._claim()
            except OSError:
                self._leave()
                raise
        self.trouble = None

    def _leave(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._known = None, {}

    def _claim(self) -> None:
        me = os.getpid(), started(os.getpid())
        entered = self.slot >= 0
        free = [slot for slot in range(SLOTS) if not alive(*self._owner(slot))]
        reports = {slot: self._report(slot) for slot in free}
        heirs = [slot for slot, report in reports.items() if report is not None and report.role == self._role]
        unused = [slot for slot, report in reports.items() if report is None]
        # Who was here before has its own counts; in a copy of the board its slot is its own still.
        mine = [self.slot] if entered and self._owner(self.slot) == me else []
        ordered = [*mine, *unused, *heirs] if entered else [*heirs, *unused]
        if not ordered:
            raise OSError(errno.ENOSPC, f"All {SLOTS} places of the board are taken.")
        self.slot = slot = ordered[0]
        self._generation = max(seal[0] for seal in self._seals(slot))
        self._which = self._known[slot][1] if slot in self._known else 0  # written last, so the other one is next
        self.inherited = None if entered else reports[slot]
        self._write(0, _OWNER.pack(*me))

    def _owner(self, slot: int) -> tuple[int, int]:
        pid, start = _OWNER.unpack_from(self._memory, _HEAD + slot * _SLOT)
        return pid, start

    def _write(self, place: int, data: bytes) -> None:
        self._put(_HEAD + self.slot * _SLOT + place, data)

    def _put(self, start: int, data: bytes) -> None:
        # Copied as a whole: pack_into clears the place first, and a process that claims would find no owner there.
        self._memory[start : start + len(data)] = data

    def _report(self, slot: int) -> Report | None:
        """The newest whole report; the one known before if both buffers are being written."""
        known = self._known.get(slot)
        if known is None and not any(_GENERATION.unpack_from(self._memory, self._buffer(slot, n))[0] for n in (0, 1)):
            return None
        for generation, length, checksum, which in sorted(self._seals(slot), reverse=True):
            if known is not None and generation <= known[0]:
                return known[2]
            start = self._buffer(slot, which) + _SEAL.size
            payload = self._memory[start : start + min(length, BUFFER - _SEAL.size)]
            if generation and _checksum(generation, payload) == checksum:
                report = decoded(payload)
                if report is not None:
                    self._known[slot] = generation, which, report
                    return report
        return known[2] if known is not None else None

    def _seals(self, slot: int) -> list[tuple[int, int, int, int]]:
        return [(*_SEAL.unpack_from(self._memory, self._buffer(slot, which)), which) for which in (0, 1)]

    def _buffer(self, slot: int, which: int) -> int:
        return _HEAD + slot * _SLOT + 64 + which * BUFFER


def _checksum(generation: int, payload: bytes) -> int:
    return zlib.crc32(payload, generation & 0xFFFFFFFF)
