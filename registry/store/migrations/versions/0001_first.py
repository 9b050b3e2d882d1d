"""The first tables, and the triggers that keep history as it was."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
PRODUCTION = "stage = 'production'"
ACTIVE = "status IN ('waiting_approval', 'running', 'paused')"
# Rows that are never changed nor deleted, and what identifies them.
APPEND_ONLY = {
    "audit_entries": "sequence = NEW.sequence",
    "traffic_plans": "number = NEW.number OR (model = NEW.model AND epoch = NEW.epoch)",
    "approvals": "number = NEW.number",
}


def upgrade() -> None:
    """Create everything."""
    _versions()
    _plans()
    _rollouts()
    _retraining()
    _decisions()
    _audit()
    if op.get_context().dialect.name == "postgresql":
        _guard_postgres()
    else:
        _guard_sqlite()


def _versions() -> None:
    op.create_table(
        "models",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    op.create_table(
        "model_versions",
        sa.Column("model", sa.Text, sa.ForeignKey("models.name"), primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("major", sa.Integer, nullable=False),
        sa.Column("minor", sa.Integer, nullable=False),
        sa.Column("patch", sa.Integer, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.UniqueConstraint("model", "major", "minor", "patch", name="one_of_each_version"),
        sa.CheckConstraint(
            "stage IN ('staging', 'shadow', 'canary', 'production', 'archived', 'rejected')", name="known_stage"
        ),
    )
    _partial_index("one_production", "model_versions", PRODUCTION)


def _plans() -> None:
    op.create_table(
        "traffic_plans",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("model", sa.Text, sa.ForeignKey("models.name"), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("champion", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.UniqueConstraint("model", "epoch", name="one_plan_per_epoch"),
        sa.ForeignKeyConstraint(["model", "champion"], ["model_versions.model", "model_versions.version"]),
        sa.CheckConstraint("epoch >= 1", name="epoch_from_one"),
    )


def _rollouts() -> None:
    op.create_table(
        "rollouts",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("challenger", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["model", "challenger"], ["model_versions.model", "model_versions.version"]),
        sa.CheckConstraint(
            "status IN ('waiting_approval', 'running', 'paused', 'succeeded', 'rolled_back', 'aborted')",
            name="known_status",
        ),
    )
    _partial_index("one_active_rollout", "rollouts", ACTIVE)
    op.create_table(
        "approvals",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("rollout_id", sa.Text, sa.ForeignKey("rollouts.id"), nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("decision_digest", sa.Text, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.UniqueConstraint("rollout_id", "role", "actor", "decision_digest", name="one_approval_each"),
    )


def _retraining() -> None:
    table = op.create_table(
        "model_retraining_events",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("trigger_type", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("drift_type", sa.Text, nullable=False),
        sa.Column("trigger_reason", sa.Text, nullable=False),
        sa.Column("trigger_metrics", sa.Text, nullable=False),
        sa.Column("execution_attempted", sa.Boolean, nullable=False),
        sa.Column("execution_successful", sa.Boolean),
        sa.Column("execution_metrics", sa.Text, nullable=False),
        sa.Column("retrained_model_version", sa.Text),
        sa.Column("retrained_r2", sa.Float),
        sa.Column("retrained_rmse", sa.Float),
        sa.Column("retrained_accuracy", sa.Float),
        sa.Column("previous_r2", sa.Float),
        sa.Column("improvement_r2_percent", sa.Float),
        sa.Column("improvement_rmse_percent", sa.Float),
        sa.Column("improvement_accuracy_percent", sa.Float),
        sa.Column("triggered_at", MOMENT, nullable=False),
        sa.Column("execution_completed_at", MOMENT),
        sa.Column("notes", sa.Text, nullable=False),
    )
    op.create_index("retraining_by_severity", table.name, ["severity"])
    op.create_index("retraining_by_trigger_type", table.name, ["trigger_type"])
    op.create_index("retraining_by_triggered_at", table.name, [sa.text("triggered_at DESC")])
    op.create_index("retraining_by_success", table.name, ["execution_successful"])


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("model", sa.Text, nullable=False, index=True),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    op.create_table(
        "drift_reports",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("model", sa.Text, nullable=False, index=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("report", sa.Text, nullable=False),
    )


def _audit() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False, index=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.CheckConstraint("id = 1", name="only_one_head"),
    )
    op.bulk_insert(head, [{"id": 1, "sequence": 0, "hash": "0" * 64}])


def _partial_index(name: str, table: str, condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, ["model"], unique=True, sqlite_where=where, postgresql_where=where)


def _guard_sqlite() -> None:
    for table, same in APPEND_ONLY.items():
        _refuse(f"{table}_no_update", f"BEFORE UPDATE ON {table}", f"{table} is append-only")
        _refuse(f"{table}_no_delete", f"BEFORE DELETE ON {table}", f"{table} is append-only")
        # INSERT OR REPLACE deletes without asking the trigger above.
        known = f"BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 (constants)
        _refuse(f"{table}_no_replace", known, f"{table} is append-only")
    fixed = "BEFORE UPDATE OF model, version, major, minor, patch, document, created_at ON model_versions"
    _refuse("model_versions_no_update", fixed, "model_versions: only the stage may change")
    _refuse("model_versions_no_delete", "BEFORE DELETE ON model_versions", "model_versions are never deleted")
    _refuse("audit_head_no_delete", "BEFORE DELETE ON audit_head", "audit_head is never deleted")


def _refuse(name: str, event: str, message: str) -> None:
    op.execute(f"CREATE TRIGGER {name} {event} BEGIN SELECT RAISE(ABORT, '{message}'); END")


def _guard_postgres() -> None:
    op.execute(
        "CREATE FUNCTION understudy_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in APPEND_ONLY:
        op.execute(_postgres_trigger(f"{table}_no_change", "UPDATE OR DELETE", table, "ROW"))
        op.execute(_postgres_trigger(f"{table}_no_truncate", "TRUNCATE", table, "STATEMENT"))
    fixed = "UPDATE OF model, version, major, minor, patch, document, created_at OR DELETE"
    op.execute(_postgres_trigger("model_versions_no_change", fixed, "model_versions", "ROW"))
    op.execute(_postgres_trigger("audit_head_no_delete", "DELETE", "audit_head", "ROW"))


def _postgres_trigger(name: str, event: str, table: str, level: str) -> str:
    return f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH {level} EXECUTE FUNCTION understudy_refuse()"
