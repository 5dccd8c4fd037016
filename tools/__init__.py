"""Programs for developers, run from a checkout: the demo, and modules that the tests and the benchmark share."""
