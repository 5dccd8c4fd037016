"""Filters of this project, one per module; entry points ``cells.filters``."""
