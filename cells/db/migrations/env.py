"""Script that alembic runs: :mod:`cells.db.migration` gives it a connection that holds the lock.

The command line of alembic works too, for developers who add a revision::

    alembic -c cells/db/alembic.ini -x url=sqlite:///new.sqlite revision --autogenerate -m "..."
"""

import sqlalchemy
from alembic import context
from sqlalchemy import Connection

from cells.db import models


def run(connection: Connection) -> None:
    """Migrate the database of ``connection`` to the requested revision."""
    # SQLite cannot alter a table in place: alembic creates a new table and copies the rows.
    context.configure(
        connection=connection, target_metadata=models.Base.metadata, compare_type=True, render_as_batch=True
    )
    with context.begin_transaction():
        context.run_migrations()


connection = context.config.attributes.get("connection")
if connection is not None:
    run(connection)
else:
    with sqlalchemy.create_engine(context.get_x_argument(as_dictionary=True)["url"]).begin() as connection:
        run(connection)
