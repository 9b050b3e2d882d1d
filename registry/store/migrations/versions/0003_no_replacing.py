"""Nothing is replaced on the way around a trigger, and what has happened stays: events, decisions, rollouts."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Tables that are never deleted from, what identifies a row beside its rowid, and what of it never changes.
KEPT: dict[str, tuple[str, tuple[str, ...]]] = {
    "models": ("name = NEW.name", ("name", "created_at")),
    "model_retraining_events": ("id = NEW.id", ("id", "model", "trigger_type", "triggered_at", "trigger_reason")),
    "decisions": ("id = NEW.id", ("number", "id", "model", "document", "created_at")),
    "rollouts": ("id = NEW.id", ("number", "id", "model", "challenger", "created_at")),
}
ACTIVE = "status IN ('waiting_approval', 'running', 'paused')"
# Tables whose deletions and changes are refused already; SQLite's REPLACE knows more ways to meet a row.
REPLACEABLE = {
    "approvals": "rollout_id = NEW.rollout_id AND role = NEW.role AND actor = NEW.actor "
    "AND decision_digest = NEW.decision_digest",
    "deleted_artifacts": "0",
    "audit_head": "id = NEW.id",
}
SAME_VERSION = "version = NEW.version OR (major = NEW.major AND minor = NEW.minor AND patch = NEW.patch)"
OTHER_PRODUCTION = (
    "NEW.stage = 'production' AND EXISTS (SELECT 1 FROM model_versions "
    "WHERE model = NEW.model AND stage = 'production' AND version <> NEW.version)"
)
OTHER_ACTIVE = (
    f"NEW.{ACTIVE} AND EXISTS (SELECT 1 FROM rollouts "  # noqa: S608 (constants)
    f"WHERE model = NEW.model AND {ACTIVE} AND id <> NEW.id)"
)
NEXT_ENTRY = (
    "NEW.sequence = OLD.sequence + 1 AND EXISTS "
    "(SELECT 1 FROM audit_entries WHERE sequence = NEW.sequence AND hash = NEW.hash)"
)


def upgrade() -> None:
    """Create the triggers."""
    if op.get_context().dialect.name == "postgresql":
        _guard_postgres()
    else:
        _guard_sqlite()


def _guard_sqlite() -> None:
    for table, (same, fixed) in KEPT.items():
        changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in fixed)
        _refuse(f"{table}_no_delete", f"BEFORE DELETE ON {table}", f"{table} are never deleted")
        _refuse(f"{table}_no_update", f"BEFORE UPDATE ON {table} WHEN {changed}", f"{table} keep {', '.join(fixed)}")
        _refuse_replacing(table, same)
    for table, same in REPLACEABLE.items():
        _refuse_replacing(table, same)
    _refuse_replacing("model_versions", f"model = NEW.model AND ({SAME_VERSION})", "versions are unique and stay")
    for event in ("INSERT", "UPDATE"):
        only = ("one_production", "model_versions", OTHER_PRODUCTION), ("one_active_rollout", "rollouts", OTHER_ACTIVE)
        for name, table, other in only:
            _refuse(f"{name}_{event.lower()}", f"BEFORE {event} ON {table} WHEN {other}", f"{name} of a model")
    for table in (*KEPT, *REPLACEABLE, "model_versions"):
        moved = f"BEFORE UPDATE ON {table} WHEN OLD.rowid <> NEW.rowid"
        _refuse(f"{table}_no_moving", moved, f"{table} are not renumbered")
    _refuse(
        "audit_head_follows", f"BEFORE UPDATE ON audit_head WHEN NOT ({NEXT_ENTRY})", "audit_head follows the trail"
    )


def _refuse_replacing(table: str, same: str, message: str = "") -> None:
    """INSERT OR REPLACE and UPDATE OR REPLACE delete without asking the triggers of DELETE."""
    known = f"SELECT 1 FROM {table} WHERE rowid = NEW.rowid OR {same}"  # noqa: S608 (constants)
    name = f"{table}_never_replaced"
    _refuse(name, f"BEFORE INSERT ON {table} WHEN EXISTS ({known})", message or f"{table} is append-only")


def _refuse(name: str, event: str, message: str) -> None:
    op.execute(f"CREATE TRIGGER {name} {event} BEGIN SELECT RAISE(ABORT, '{message}'); END")


def _guard_postgres() -> None:
    for table, (_, fixed) in KEPT.items():
        changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in fixed)
        _trigger(f"{table}_no_change", f"BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({changed})")
        _trigger(f"{table}_no_delete", f"BEFORE DELETE ON {table} FOR EACH ROW")
    for table in (*KEPT, "model_versions", "audit_head"):
        _trigger(f"{table}_no_truncate", f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT")
    op.execute(
        "CREATE FUNCTION understudy_follow() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF NOT ({NEXT_ENTRY}) THEN RAISE EXCEPTION 'audit_head follows the trail'; END IF; "
        "RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_head_follows BEFORE UPDATE ON audit_head "
        "FOR EACH ROW EXECUTE FUNCTION understudy_follow()"
    )


def _trigger(name: str, event: str) -> None:
    op.execute(f"CREATE TRIGGER {name} {event} EXECUTE FUNCTION understudy_refuse()")
