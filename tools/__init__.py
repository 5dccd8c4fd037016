"""What developers run from a checkout: the demo, and what it shares with the tests and the benchmark."""
