"""The console scripts.

oslo.messaging asks oslo.service which kind of concurrency to use in the moment
it is imported, and oslo.service answers eventlet unless it was told otherwise.
This project is made of threads, so the choice is made here, in the one module
that every console script imports before anything else.  Other libraries below
import eventlet wherever it is installed, unused: that takes a tenth of the time
until a manager is ready and an eighth of its memory, and tells every operator that
eventlet is deprecated.  So these processes cannot import it.
"""

import sys

from oslo_service import backend

sys.modules.setdefault("eventlet", None)  # type: ignore[arg-type]  # as the import system documents it
backend.register_backend_default_hook(lambda: backend.BackendType.THREADING)
