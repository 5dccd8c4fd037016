"""Table of the transitions of links from one state to the next.

Revision: 0007, after 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "link_transitions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("neighbor", sa.String(255), nullable=False),
        sa.Column("manager", sa.String(255), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index("ix_link_transitions_neighbor", "link_transitions", ["neighbor"])
