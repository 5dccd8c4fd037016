"""A whole tree of cells on one machine, for trials and tests: the implementation of ``cells sandbox``."""
