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


def upgrade() -> None:
    """Create the tables; what happened is never deleted from incidents."""
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
        sa.Column("next_at", MOMENT, nullable=False),
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
