"""Column for the cap of the inter-cell API toward a neighbor.

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column.  NULL, which older releases leave there, means that the neighbor has no cap."""
    op.add_column("cells", sa.Column("version_cap", sa.String(255)))
