"""Environment of alembic.  Only alembic imports the modules in this package."""
