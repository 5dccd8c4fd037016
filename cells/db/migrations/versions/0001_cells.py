"""Table of the neighbors.

Revision: 0001, the first
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "cells",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("api_url", sa.String(255)),
        sa.Column("transport_url", sa.Text(), nullable=False),
        sa.Column("weight_offset", sa.Double(), nullable=False),
        sa.Column("weight_scale", sa.Double(), nullable=False),
        sa.Column("is_parent", sa.Boolean(), nullable=False),
        sa.Column("driver", sa.String(255), nullable=False),
        sa.Column("created_at", sa.DateTime()),
        sa.Column("updated_at", sa.DateTime()),
        sa.Column("deleted_at", sa.DateTime()),
        sa.Column("deleted", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name", "deleted", name="uniq_cells0name0deleted"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
