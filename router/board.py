"""
What the processes of one state folder know of each other: shared memory, no disk, no registry.

A file of fixed size is allocated once and mapped by every process, so nothing here waits for a
disk or notices a full one. Each process owns one slot with two buffers and writes its whole
report into the older of them: generation, length and checksum first, then the report. A process
killed in mid-write leaves the newer buffer as it was, and a reader takes the newest one that is
whole. The report of a dead process stays, and who takes its slot goes on with its counts.
"""

import errno
import fcntl
import logging
import mmap
import os
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, Self

import msgspec

from registry.records.plan import TrafficPlan
from router.breaker import Circuit
from router.process import alive, started
from router.tally import Tally

log = logging.getLogger("understudy.router")
Role = Literal["worker", "control", "shadow"]

_MAGIC = b"understudy-board-1"
_HEAD = 4096
SLOTS = 72
BUFFER = 64 << 10
_OWNER = struct.Struct("<QQ")  # process id, its start
_GENERATION = struct.Struct("<Q")
_BEAT = struct.Struct("<d")
_SEAL = struct.Struct("<QII")  # generation, length, checksum
_SLOT = 64 + 2 * BUFFER
SIZE = _HEAD + SLOTS * _SLOT


class Stop(msgspec.Struct, frozen=True, array_like=True):
    """
    Something that holds for all plans of a model up to *epoch*, and for those of the same rollout.

    Attributes:
        rollout: Its id; None for a plan that belongs to none.
    """

    epoch: int
    reason: str
    rollout: str | None = None

    def holds(self, plan: TrafficPlan) -> bool:
        """Whether it holds for this plan."""
        same = self.rollout is not None and plan.rollout_id == self.rollout and bool(plan.challengers)
        return plan.epoch <= self.epoch or same


class Report(msgspec.Struct, array_like=True, kw_only=True):
    """
    What one process tells the others.

    Attributes:
        role: What it is.
        began: When it started, in epoch seconds.
        epochs: Of the plans in force, by model.
        circuits: (model, phase, variant) and state of each breaker.
        tallies: Its counts, and those of the dead processes whose slot it took; what matters most, last.
        stops: Challengers that are off, by model.
        alerts: Champions that fail, by model.
        unlogged: Predictions that were answered but not logged.
        copies: Of shadows, by model, version and what became of them.
    """

    role: Role = "worker"
    began: float = 0.0
    epochs: dict[str, int] = {}
    circuits: list[tuple[str, str, str, Circuit]] = []
    tallies: list[Tally] = []
    stops: dict[str, Stop] = {}
    alerts: dict[str, Stop] = {}
    unlogged: int = 0
    copies: dict[str, dict[str, dict[str, int]]] = {}


class Seen(NamedTuple):
    """
    One slot as it was read.

    Attributes:
        alive: Whether its process runs; of a dead one only counts, stops and alerts still hold.
        silent_s: Seconds since it wrote; a hung process is alive and silent.
    """

    slot: int
    pid: int
    alive: bool
    silent_s: float
    report: Report


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Report)


class Board:
    """
    One process's view of the shared memory, and its own slot in it.

    Use `open`. May be used by one thread at a time.

    Attributes:
        slot: Its number.
        inherited: The last report of the dead process whose slot this was; its counts go on here.
        cut: Whether the last report was too long, and its first tallies were left out.
    """

    def __init__(self, memory: mmap.mmap, lock: Path, role: Role, clock: Callable[[], float]) -> None:
        self._memory, self._role, self._clock = memory, role, clock
        self._known: dict[int, tuple[int, int, Report]] = {}
        self._generation, self._which, self.cut = 0, 0, False
        with _locked(lock):
            self.slot, self.inherited = self._claim()

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
        lock = folder / "board.lock"
        with _locked(lock):
            memory = _mapped(folder / "board")
        return cls(memory, lock, role, clock)

    def publish(self, report: Report) -> None:
        """Replace this process's report; the others see the old or the new one, whole."""
        report.role = self._role
        payload = _encoder.encode(report)
        self.cut = len(payload) > BUFFER - _SEAL.size
        while len(payload) > BUFFER - _SEAL.size:
            report.tallies = report.tallies[len(report.tallies) // 4 + 1 :]
            payload = _encoder.encode(report)
        self._generation += 1
        self._which = 1 - self._which
        start = self._buffer(self.slot, self._which)
        seal = _SEAL.pack(self._generation, len(payload), _checksum(self._generation, payload))
        self._memory[start : start + _SEAL.size + len(payload)] = seal + payload
        self._write(_OWNER.size, _BEAT.pack(self._clock()))

    def read(self) -> list[Seen]:
        """Every slot that ever held a report, this process's own included."""
        found, now = [], self._clock()
        for slot in range(SLOTS):
            report = self._report(slot)
            if report is not None:
                pid, start = _OWNER.unpack_from(self._memory, _HEAD + slot * _SLOT)
                (beat,) = _BEAT.unpack_from(self._memory, _HEAD + slot * _SLOT + _OWNER.size)
                found.append(Seen(slot, pid, alive(pid, start), max(now - beat, 0.0), report))
        return found

    def close(self) -> None:
        """Give the slot back; its counts stay for the next process."""
        self._write(0, _OWNER.pack(0, 0))
        self._memory.close()

    def _claim(self) -> tuple[int, Report | None]:
        free = [slot for slot in range(SLOTS) if not self._owned(slot)]
        reports = {slot: self._report(slot) for slot in free}
        heirs = [slot for slot, report in reports.items() if report is not None and report.role == self._role]
        unused = [slot for slot, report in reports.items() if report is None]
        if not heirs and not unused:
            raise OSError(errno.ENOSPC, f"All {SLOTS} places of the board are taken.")
        self.slot = slot = (heirs or unused)[0]
        self._generation = max(seal[0] for seal in self._seals(slot))
        self._which = self._known[slot][1] if slot in self._known else 0  # written last, so the other one is next
        self._write(0, _OWNER.pack(os.getpid(), started(os.getpid())))
        return slot, reports[slot]

    def _owned(self, slot: int) -> bool:
        return alive(*_OWNER.unpack_from(self._memory, _HEAD + slot * _SLOT))

    def _write(self, place: int, data: bytes) -> None:
        # Copied as a whole: pack_into clears the place first, and a process that claims would find no owner there.
        start = _HEAD + self.slot * _SLOT + place
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
                report = _decoded(payload)
                if report is not None:
                    self._known[slot] = generation, which, report
                    return report
        return known[2] if known is not None else None

    def _seals(self, slot: int) -> list[tuple[int, int, int, int]]:
        return [(*_SEAL.unpack_from(self._memory, self._buffer(slot, which)), which) for which in (0, 1)]

    def _buffer(self, slot: int, which: int) -> int:
        return _HEAD + slot * _SLOT + 64 + which * BUFFER


def _mapped(path: Path) -> mmap.mmap:
    """The file as memory; a foreign or shortened one is replaced, never written to."""
    if not _ours(path):
        draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            _allocate(draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), SIZE)


def _ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_size == SIZE and file.read(len(_MAGIC)) == _MAGIC
    except FileNotFoundError:
        return False


def _allocate(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        # All blocks now: a disk that is full later would kill whoever writes into a hole of the map.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, SIZE)
        else:
            os.pwrite(descriptor, bytes(SIZE), 0)
        os.pwrite(descriptor, _MAGIC, 0)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One at a time, until the process ends."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _checksum(generation: int, payload: bytes) -> int:
    return zlib.crc32(payload, generation & 0xFFFFFFFF)


def _decoded(payload: bytes) -> Report | None:
    try:
        return _decoder.decode(payload)
    except msgspec.MsgspecError:  # of another version of ours
        return None
