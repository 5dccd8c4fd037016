"""Columns for direct links: the addresses, the certificates and the path of a neighbor.

Revision: 0006, after 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns.  NULL, which older releases leave there, means that the neighbor has no direct link."""
    op.add_column("cells", sa.Column("addresses", sa.Text()))
    op.add_column("cells", sa.Column("certificates", sa.Text()))
    op.add_column("cells", sa.Column("certificate_path", sa.Text()))
    op.add_column("cells", sa.Column("also_accept", sa.String(255)))
