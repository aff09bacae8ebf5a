"""The envelope of a quarantined record that came wrapped."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("quarantine", sa.Column("envelope", sa.Text(), nullable=True))
