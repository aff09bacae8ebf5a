"""Signals as correlations see them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "correlated",
        sa.Column("correlation", sa.String(80), primary_key=True),
        sa.Column("grp", sa.Text(), primary_key=True),
        sa.Column("time", sa.BigInteger(), primary_key=True),
        sa.Column("event", sa.Text(), primary_key=True),
        sa.Column("rule", sa.Text(), primary_key=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.Text()) for name in ("event_name", "account_uid", "region", "src_ip")),
        sa.Column("object_id", sa.String(32), nullable=False),
        sa.Column("record_no", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("correlated_by_expiry", "correlated", ["expires"])
