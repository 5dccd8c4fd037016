"""A whole tree of cells on one machine, for trying things out: what ``cells sandbox`` does."""
