"""A second, simple account of what a rollout does: written from the description, not from the code."""

import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta

GAP = timedelta(minutes=20)
MIN, MAX = 1800.0, 3600.0
EXPIRE = timedelta(hours=3)
TERMINAL = ("succeeded", "rolled_back", "aborted")


@dataclass
class Reference:
    """
    One rollout, its plan and its champion.

    Attributes:
        shares: Of every step, in percent; on_timeout: of every step.
        binding: Changes whenever a sign-off for what was before no longer counts.
        signed: (role, person) for the present binding.
        moves: How often it was moved; the registry's revision must have grown by as much.
    """

    shares: tuple[int, ...]
    on_timeout: str
    approval: bool
    on_expiry: str
    gap: timedelta | None
    started: datetime
    status: str = "running"
    step: int = -1
    baked: float = 0.0
    last: datetime | None = None
    question: str | None = None
    asked: datetime | None = None
    stale: bool = False
    signed: set[tuple[str, str]] = field(default_factory=set)
    used: int = 0
    proven: bool = False
    shown_at_gate: bool = False
    moves: int = 0
    short: bool = False
    compared: bool = False

    def __post_init__(self) -> None:
        if self.asks():
            self.status, self.question, self.asked = "waiting_approval", "begin", self.started

    @property
    def over(self) -> bool:
        return self.status in TERMINAL

    @property
    def share(self) -> int:
        """Percent of callers whom the challenger answers."""
        return 0 if self.over or self.step < 0 else self.shares[self.step]

    @property
    def production(self) -> str:
        return "v1.1.0" if self.status == "succeeded" else "v1.0.0"

    @property
    def stage(self) -> str:
        """Of the challenger."""
        ends = {"succeeded": "production", "rolled_back": "rejected", "aborted": "staging"}
        if self.over:
            return ends[self.status]
        return "staging" if self.step < 0 else "canary" if self.share else "shadow"

    def clone(self) -> "Reference":
        return copy.deepcopy(self)

    def asks(self) -> bool:
        """The gate lies before the first caller that is answered, or before a promotion straight from the shadow."""
        last = self.step + 1 == len(self.shares)
        return self.approval and self.share == 0 and (last or self.shares[self.step + 1] > 0)

    def agreed(self) -> bool:
        leads = {person for role, person in self.signed if role == "ml_lead"}
        owners = {person for role, person in self.signed if role == "business_owner"}
        return any(a != b for a in leads for b in owners)

    # What people do; False where they are refused.

    def sign(self, person: str, role: str, yes: bool, now: datetime) -> bool:
        name = person.strip().lower()
        other = {"ml_lead": "business_owner", "business_owner": "ml_lead"}.get(role)
        if self.over or other is None or (yes and ((other, name) in self.signed or self._is_late(now))):
            return False
        if yes:
            self.signed.add((role, name))
        else:
            self._end("aborted")
        return True

    def _is_late(self, now: datetime) -> bool:
        waits = self.status == "waiting_approval" and self.on_expiry == "abort" and self.asked is not None
        return waits and not self.agreed() and now - (self.asked or now) >= EXPIRE

    def pause(self) -> bool:
        if not self.over and self.status != "paused":
            self.status, self.moves = "paused", self.moves + 1
        return not self.over

    def resume(self, now: datetime) -> bool:
        if self.status == "paused":
            self.status, self.moves = ("waiting_approval" if self.question else "running"), self.moves + 1
            if self.last is not None:
                self.last = max(self.last, now)
        return not self.over

    def skip(self, now: datetime) -> bool:
        needs = self.asks() or (self.status == "waiting_approval" and self.question != "inconclusive")
        if self.over or self.status == "paused" or (needs and not self.agreed()):
            return False
        self._enter_next(now)
        return True

    def abort(self) -> bool:
        fine = not self.over
        if fine:
            self._end("aborted")
        return fine

    def roll_back(self) -> bool:
        fine = not self.over
        if fine:
            self._end("rolled_back")
        return fine

    def change_candidate(self) -> None:
        if not self.over:
            self._unbind()
            self.stale, self.moves, self.shown_at_gate = self.question is not None, self.moves + 1, False

    # What a look does.

    def look(self, now: datetime, world: str) -> str:
        """Name the move."""
        if self.over:
            return "none"
        outcome, doubtful = self.outcome(world)
        self.short, self.compared = world == "few", self.step >= 0 and world not in ("away", "missing")
        behind, baked, at = self._clock(now, world)
        move = self._decide(now, outcome, doubtful, behind, baked)
        if move == "hold":
            self.baked, self.last = baked, at
        return move

    def outcome(self, world: str) -> tuple[str, bool]:
        """What the step comes to, and whether people must judge it."""
        if self.step < 0:
            return "none", False
        share = self.shares[self.step]
        if world == "bad" and share < 100:
            return "failed", False
        if world in ("away", "missing", "nan", "unlabelled") or (world == "srm" and 0 < share < 100):
            return "error", False
        if world == "few":
            return "inconclusive", False
        if share == 100 or world in ("good", "srm") or (world == "even" and share and self.proven):
            return "successful", False
        if world == "slight":
            return "successful", not self.proven
        return "inconclusive", False

    def _clock(self, now: datetime, world: str) -> tuple[bool, float, datetime]:
        last = self.last if self.last is not None else self.started
        if now < last:
            jumped = self.gap is not None and last - now > self.gap
            return True, self.baked, now if jumped else last
        counts = self.status == "running" and (world != "away" or self.step < 0)
        watched = self.gap is None or now - last <= self.gap
        return False, self.baked + ((now - last).total_seconds() if counts and watched else 0.0), now

    def _decide(self, now: datetime, outcome: str, doubtful: bool, behind: bool, baked: float) -> str:
        if outcome == "failed":
            return self._end("rolled_back")
        if self.status == "paused":
            return "hold"
        if self.status == "waiting_approval":
            return self._gate(now, outcome, doubtful, behind)
        if behind:
            return "hold"
        if self.step < 0:
            return self._enter_next(now)
        if baked >= MIN and outcome == "successful":
            return self._forward(now, doubtful, shown=self._shows(outcome))
        return self._timeout(now, outcome) if baked >= MAX else "hold"

    def _gate(self, now: datetime, outcome: str, doubtful: bool, behind: bool) -> str:
        if self.stale:
            return self._ask(self.question or "", now, shown=self._shows(outcome))
        if not self.agreed() and self.on_expiry == "abort" and self.asked is not None and now - self.asked >= EXPIRE:
            return self._end("aborted", "abort")
        if self.question == "inconclusive" and outcome == "successful" and not behind:
            return self._forward(now, doubtful, shown=self._shows(outcome))
        if not self.agreed() or behind or outcome == "error":
            return "hold"
        self.used += 1
        self.proven = self.proven or self._shows(outcome) or self.shown_at_gate
        return self._enter_next(now)

    def _forward(self, now: datetime, doubtful: bool, *, shown: bool) -> str:
        if doubtful or self.asks():
            return self._ask("promote" if self._last() else "advance", now, shown=shown)
        self.proven = self.proven or shown or (self.question is not None and self.shown_at_gate)
        return self._enter_next(now)

    def _timeout(self, now: datetime, outcome: str) -> str:
        if self.on_timeout == "roll_back":
            return self._end("rolled_back")
        if outcome == "error" or self.on_timeout == "hold":
            return "hold"
        if self.on_timeout == "ask":
            return self._ask("inconclusive", now, shown=False)
        if self.short:
            return "hold"
        return (
            self._ask("promote" if self._last() else "advance", now, shown=False)
            if self.asks()
            else self._enter_next(now)
        )

    def _ask(self, question: str, now: datetime, *, shown: bool) -> str:
        self.status, self.question, self.asked, self.stale = "waiting_approval", question, now, False
        self.shown_at_gate, self.moves = shown or (self.shown_at_gate and not self.compared), self.moves + 1
        if self.compared:  # people read another report; without a comparison it is the one that they had
            self._unbind()
        return "wait"

    def _enter_next(self, now: datetime) -> str:
        first, last = self.step < 0, self._last()
        if last:
            return self._end("succeeded", "promote")
        self.step, self.status, self.question, self.asked = self.step + 1, "running", None, None
        self.started, self.baked, self.last, self.stale = now, 0.0, None, False
        self.moves, self.shown_at_gate = self.moves + 1, False
        self._unbind()
        return "start" if first else "advance"

    def _end(self, status: str, move: str = "roll_back") -> str:
        self.status, self.question, self.moves = status, None, self.moves + 1
        self._unbind()
        return move

    def _unbind(self) -> None:
        self.signed = set()

    def _last(self) -> bool:
        return self.step + 1 == len(self.shares)

    def _shows(self, outcome: str) -> bool:
        return outcome == "successful" and self.shares[self.step] < 100
