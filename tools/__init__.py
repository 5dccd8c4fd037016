"""Programs for developers, run from a checkout: the demo, and modules for the tests, the benchmark and the drills."""
