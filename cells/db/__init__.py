"""The registry of neighbors: one table, on SQLite, PostgreSQL or MariaDB."""
