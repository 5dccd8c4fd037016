"""The alembic environment.  Nobody but alembic imports what is in here."""
