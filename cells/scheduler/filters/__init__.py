"""The filters that come with this project, one per module; entry points ``cells.filters``."""
