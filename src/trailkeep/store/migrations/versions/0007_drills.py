"""Drills; alerts and messages that are told again, or together."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    for column in (
        sa.Column("drill", sa.String(32)),
        sa.Column("told", sa.DateTime(timezone=True)),
        sa.Column("told_events", sa.Integer()),
        sa.Column("updates", sa.Integer()),
    ):
        op.add_column("alerts", column)
    for column in (sa.Column("held", sa.Boolean()), sa.Column("summary_id", sa.Integer())):
        op.add_column("outbox", column)
    op.create_index("outbox_by_summary", "outbox", ["summary_id"])
    op.create_index("outbox_by_sent", "outbox", ["channel", "sent"])
    op.create_table(
        "drills",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True)),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("steps", sa.JSON(), nullable=False),
    )
    op.create_table(
        "drill_objects",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("drill", sa.String(32), sa.ForeignKey("drills.id"), nullable=False),
    )
    op.create_index("drill_objects_by_drill", "drill_objects", ["drill"])
