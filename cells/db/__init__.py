"""The registry of neighbours: one table, on SQLite, PostgreSQL or MariaDB."""
