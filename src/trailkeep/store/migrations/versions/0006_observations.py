"""What baselines have seen."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "observations",
        sa.Column("rule_uid", sa.Text(), primary_key=True),
        sa.Column("event_uid", sa.Text(), primary_key=True),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("series", sa.JSON(), nullable=False),
    )
