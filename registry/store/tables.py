"""What is stored; the migrations make it so, and a test compares the two."""

from typing import get_args

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from registry.records.notice import NoticeStatus
from registry.records.rollout import RolloutStatus
from registry.records.version import Stage
from registry.records.watch import WatchStatus
from registry.store.types import Json, Moment

metadata = MetaData()


def _one_of(column: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


ACTIVE = _one_of("status", ("waiting_approval", "running", "paused"))
PRODUCTION = "stage = 'production'"
WAITS = "status = 'waiting'"
WATCHED = "status = 'active'"

models = Table(
    "models",
    metadata,
    Column("name", Text, primary_key=True),
    Column("created_at", Moment, nullable=False),
)

versions = Table(
    "model_versions",
    metadata,
    Column("model", Text, ForeignKey("models.name"), primary_key=True),
    Column("version", Text, primary_key=True),
    Column("major", Integer, nullable=False),
    Column("minor", Integer, nullable=False),
    Column("patch", Integer, nullable=False),
    Column("stage", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("model", "major", "minor", "patch", name="one_of_each_version"),
    CheckConstraint(_one_of("stage", get_args(Stage)), name="known_stage"),
    Index("one_production", "model", unique=True, sqlite_where=text(PRODUCTION), postgresql_where=text(PRODUCTION)),
)

# A version stays when retention has deleted its bytes.
deleted_artifacts = Table(
    "deleted_artifacts",
    metadata,
    Column("model", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    ForeignKeyConstraint(["model", "version"], ["model_versions.model", "model_versions.version"]),
)

plans = Table(
    "traffic_plans",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("model", Text, ForeignKey("models.name"), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("champion", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("model", "epoch", name="one_plan_per_epoch"),
    ForeignKeyConstraint(["model", "champion"], ["model_versions.model", "model_versions.version"]),
    CheckConstraint("epoch >= 1", name="epoch_from_one"),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("model", Text, nullable=False),
    Column("challenger", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    ForeignKeyConstraint(["model", "challenger"], ["model_versions.model", "model_versions.version"]),
    CheckConstraint(_one_of("status", get_args(RolloutStatus)), name="known_status"),
    Index("one_active_rollout", "model", unique=True, sqlite_where=text(ACTIVE), postgresql_where=text(ACTIVE)),
)

approvals = Table(
    "approvals",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("rollout_id", Text, ForeignKey("rollouts.id"), nullable=False),
    Column("role", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("decision_digest", Text, nullable=False),
    Column("at", Moment, nullable=False),
    UniqueConstraint("rollout_id", "role", "actor", "decision_digest", name="one_approval_each"),
)

# When a rollout was last looked at, and how long its step has baked: moved by every look, so not in its document.
pulses = Table(
    "rollout_pulses",
    metadata,
    Column("rollout_id", Text, ForeignKey("rollouts.id"), primary_key=True),
    Column("step", Integer, nullable=False),
    Column("baked_s", Float, nullable=False),
    Column("at", Moment, nullable=False),
)

# Written in the transaction of what they tell; sent later. The document is as it was written; the columns move.
notices = Table(
    "notices",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("model", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Moment, nullable=False),
    Column("missed", Json, nullable=False),
    Column("document", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    CheckConstraint(_one_of("status", get_args(NoticeStatus)), name="known_notice_status"),
    Index("notices_that_wait", "next_at", sqlite_where=text(WAITS), postgresql_where=text(WAITS)),
)

watches = Table(
    "watches",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("began_at", Moment, nullable=False),
    ForeignKeyConstraint(["model", "version"], ["model_versions.model", "model_versions.version"]),
    CheckConstraint(_one_of("status", get_args(WatchStatus)), name="known_watch_status"),
    Index("one_active_watch", "model", unique=True, sqlite_where=text(WATCHED), postgresql_where=text(WATCHED)),
)

incidents = Table(
    "incidents",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("model", Text, nullable=False, index=True),
    Column("epoch", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("at", Moment, nullable=False),
    UniqueConstraint("model", "epoch", name="one_incident_per_epoch"),
)

# Column names are those of the requirements; keys are the fields of RetrainingEvent.
retraining_events = Table(
    "model_retraining_events",
    metadata,
    Column("id", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("trigger_type", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("drift_type", Text, nullable=False),
    Column("trigger_reason", Text, nullable=False),
    Column("trigger_metrics", Json, nullable=False),
    Column("execution_attempted", Boolean, nullable=False),
    Column("execution_successful", Boolean),
    Column("execution_metrics", Json, nullable=False),
    Column("retrained_model_version", Text, key="retrained_version"),
    Column("retrained_r2", Float, key="r2"),
    Column("retrained_rmse", Float, key="rmse"),
    Column("retrained_accuracy", Float, key="accuracy"),
    Column("previous_r2", Float),
    Column("improvement_r2_percent", Float, key="improvement_r2"),
    Column("improvement_rmse_percent", Float, key="improvement_rmse"),
    Column("improvement_accuracy_percent", Float, key="improvement_accuracy"),
    Column("triggered_at", Moment, nullable=False),
    Column("execution_completed_at", Moment, key="completed_at"),
    Column("notes", Text, nullable=False),
)
Index("retraining_by_severity", retraining_events.c.severity)
Index("retraining_by_trigger_type", retraining_events.c.trigger_type)
Index("retraining_by_triggered_at", retraining_events.c.triggered_at.desc())
Index("retraining_by_success", retraining_events.c.execution_successful)

decisions = Table(
    "decisions",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("model", Text, nullable=False, index=True),
    Column("document", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)

drift_reports = Table(
    "drift_reports",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("model", Text, nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("report", Json, nullable=False),
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("model", Text, nullable=False, index=True),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("before", Json, nullable=False),
    Column("after", Json, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

# One row: the end of the chain. Locking it serialises writers; comparing it finds a cut tail.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sequence", Integer, nullable=False),
    Column("hash", Text, nullable=False),
    CheckConstraint("id = 1", name="only_one_head"),
)

APPEND_ONLY = (audit_entries, plans, approvals, deleted_artifacts, incidents)
