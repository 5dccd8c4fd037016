"""oslo.messaging's own tests, as its installed package contains them, run over the transports and the client of this
project: ``python -m tests.library``."""
