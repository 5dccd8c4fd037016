"""The weighers that come with this project, one per module; entry points ``cells.weighers``."""
