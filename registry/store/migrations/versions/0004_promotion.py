"""What a promotion needs: pulses of rollouts, notices, watches and incidents."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
WAITS = sa.text("status = 'waiting'")
WATCHED = sa.text("status = 'active'")

# Tables that are never deleted from, what identifies a row beside its rowid, and what of it never changes.
KEPT: dict[str, tuple[str, tuple[str, ...]]] = {
    "notices": ("key = NEW.key", ("number", "key", "model", "document", "created_at")),
    "watches": ("id = NEW.id", ("number", "id", "model", "version", "began_at")),
    "incidents": (
        "id = NEW.id OR (model = NEW.model AND epoch = NEW.epoch)",
        ("number", "id", "model", "epoch", "document", "at"),
    ),
}
OTHER_WATCH = (
    "NEW.status = 'active' AND EXISTS "
    "(SELECT 1 FROM watches WHERE model = NEW.model AND status = 'active' AND id <> NEW.id)"
)


def upgrade() -> None:
    """Create the tables, and the triggers that keep what has happened."""
    _create()
    if op.get_context().dialect.name == "postgresql":
        _guard_postgres()
    else:
        _guard_sqlite()


def _create() -> None:
    op.create_table(
        "rollout_pulses",
        sa.Column("rollout_id", sa.Text, sa.ForeignKey("rollouts.id"), primary_key=True),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("baked_s", sa.Float, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )
    op.create_table(
        "notices",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("missed", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("status IN ('waiting', 'sent', 'logged', 'given_up')", name="known_notice_status"),
    )
    op.create_index("notices_that_wait", "notices", ["next_at"], sqlite_where=WAITS, postgresql_where=WAITS)
    op.create_table(
        "watches",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["model", "version"], ["model_versions.model", "model_versions.version"]),
        sa.CheckConstraint("status IN ('active', 'passed', 'rolled_back', 'replaced')", name="known_watch_status"),
    )
    op.create_index(
        "one_active_watch", "watches", ["model"], unique=True, sqlite_where=WATCHED, postgresql_where=WATCHED
    )
    op.create_table(
        "incidents",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("model", sa.Text, nullable=False, index=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.UniqueConstraint("model", "epoch", name="one_incident_per_epoch"),
    )


def _guard_sqlite() -> None:
    for table, (same, fixed) in KEPT.items():
        changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in fixed)
        known = f"SELECT 1 FROM {table} WHERE rowid = NEW.rowid OR {same}"  # noqa: S608 (constants)
        _refuse(f"{table}_no_delete", f"BEFORE DELETE ON {table}", f"{table} are never deleted")
        _refuse(f"{table}_no_update", f"BEFORE UPDATE ON {table} WHEN {changed}", f"{table} keep {', '.join(fixed)}")
        _refuse(f"{table}_never_replaced", f"BEFORE INSERT ON {table} WHEN EXISTS ({known})", f"{table} are kept")
    for event in ("INSERT", "UPDATE"):  # REPLACE would delete the other one without asking
        other = f"BEFORE {event} ON watches WHEN {OTHER_WATCH}"
        _refuse(f"one_active_watch_{event.lower()}", other, "one_active_watch of a model")
    over = "BEFORE UPDATE ON watches WHEN OLD.status <> 'active'"
    _refuse("watches_end_once", over, "a watch that is over stays as it is")


def _refuse(name: str, event: str, message: str) -> None:
    op.execute(f"CREATE TRIGGER {name} {event} BEGIN SELECT RAISE(ABORT, '{message}'); END")


def _guard_postgres() -> None:
    for table, (_, fixed) in KEPT.items():
        changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in fixed)
        _trigger(f"{table}_no_change", f"BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({changed})")
        _trigger(f"{table}_no_delete", f"BEFORE DELETE ON {table} FOR EACH ROW")
        _trigger(f"{table}_no_truncate", f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT")
    _trigger("watches_end_once", "BEFORE UPDATE ON watches FOR EACH ROW WHEN (OLD.status <> 'active')")


def _trigger(name: str, event: str) -> None:
    op.execute(f"CREATE TRIGGER {name} {event} EXECUTE FUNCTION understudy_refuse()")
