"""Revisions of the schema; the number at the start of the name gives their order, oldest first."""
