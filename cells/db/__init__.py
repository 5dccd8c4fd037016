"""Database of a cell, on SQLite, PostgreSQL or MariaDB: the neighbors, and the hosts of the brokerless transport."""
