"""Columns for the calls that a neighbor may make, and for the longest time of one.

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns.  NULL, which older releases leave there, means that the neighbor has no limits of its own."""
    op.add_column("cells", sa.Column("allowed_methods", sa.Text()))
    op.add_column("cells", sa.Column("max_foreign_seconds", sa.Double()))
