"""What people are told: the outbox; of alerts, when that was decided, and resources. Those there are count as told."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("alerts", sa.Column("routed", sa.DateTime(timezone=True)))
    op.add_column("alerts", sa.Column("group_id", sa.Integer()))
    op.add_column("alerts", sa.Column("severity", sa.String(16)))
    op.add_column("alert_events", sa.Column("resources", sa.JSON()))
    op.execute("UPDATE alerts SET routed = created, group_id = id, severity = level")
    op.create_index("alerts_by_subject", "alerts", ["subject"])
    op.create_index("alerts_by_routed", "alerts", ["routed"])
    op.create_index("alerts_by_group", "alerts", ["group_id"])
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("uid", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("group_id", sa.Integer()),
        sa.Column("alerts", sa.JSON(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent", sa.DateTime(timezone=True)),
        sa.Column("last_error", sa.Text()),
    )
    op.create_index("outbox_by_key", "outbox", ["key"], unique=True)
    op.create_index("outbox_due", "outbox", ["channel", "state", "next_try"])
    op.create_index("outbox_by_group", "outbox", ["group_id"])
    op.create_index("outbox_by_created", "outbox", ["created"])
