"""The console scripts.

At import, oslo.messaging asks oslo.service for the concurrency back end, and the default of
oslo.service is eventlet.  This project uses threads, so this module, which every console script
imports first, chooses the threading back end.  Other libraries import eventlet without using it
wherever it is installed.  That import takes a tenth of the start time of a manager and an eighth of its
memory, and prints a deprecation warning for every operator.  So this module blocks the import.
"""

import sys

from oslo_service import backend

sys.modules.setdefault("eventlet", None)  # type: ignore[arg-type]  # documented: None blocks an import
backend.register_backend_default_hook(lambda: backend.BackendType.THREADING)
