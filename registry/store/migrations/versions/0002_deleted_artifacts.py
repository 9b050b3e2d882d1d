"""Which artifacts retention has deleted; the versions themselves stay."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLE = "deleted_artifacts"


def upgrade() -> None:
    """Create the table, and the triggers that keep it as it was."""
    op.create_table(
        TABLE,
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["model", "version"], ["model_versions.model", "model_versions.version"]),
    )
    if op.get_context().dialect.name == "postgresql":
        _guard("no_change", "UPDATE OR DELETE", "ROW")
        _guard("no_truncate", "TRUNCATE", "STATEMENT")
        return
    same = f"SELECT 1 FROM {TABLE} WHERE model = NEW.model AND version = NEW.version"  # noqa: S608 (constants)
    for name, event in (
        ("no_update", f"BEFORE UPDATE ON {TABLE}"),
        ("no_delete", f"BEFORE DELETE ON {TABLE}"),
        ("no_replace", f"BEFORE INSERT ON {TABLE} WHEN EXISTS ({same})"),
    ):
        raising = f"BEGIN SELECT RAISE(ABORT, '{TABLE} is append-only'); END"
        op.execute(f"CREATE TRIGGER {TABLE}_{name} {event} {raising}")


def _guard(name: str, event: str, level: str) -> None:
    trigger = f"CREATE TRIGGER {TABLE}_{name} BEFORE {event} ON {TABLE}"
    op.execute(f"{trigger} FOR EACH {level} EXECUTE FUNCTION understudy_refuse()")
