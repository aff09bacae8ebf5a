"""What collectors keep: positions, ids of pushed batches, their health, and what they gave up."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("batches", sa.Column("progress", sa.JSON(), nullable=True))
    op.create_index("objects_by_key", "objects", ["key"])
    op.create_table(
        "positions",
        sa.Column("collector", sa.String(64), primary_key=True),
        sa.Column("scope", sa.Text(), primary_key=True),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "received",
        sa.Column("collector", sa.String(64), primary_key=True),
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("received_by_time", "received", ["time"])
    op.create_table(
        "collectors",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("condition", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("objects", "bytes", "records", "errors", "refused")
        ),
        sa.Column("last_error", sa.Text()),
        sa.Column("last_object", sa.Text()),
        sa.Column("last_arrival", sa.DateTime(timezone=True)),
        sa.Column("lag_seconds", sa.Float()),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "given_up",
        sa.Column("collector", sa.String(64), primary_key=True),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("added", sa.DateTime(timezone=True), nullable=False),
    )
