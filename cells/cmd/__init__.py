"""The console scripts.

oslo.messaging asks oslo.service which kind of concurrency to use in the moment
it is imported, and oslo.service answers eventlet unless it was told otherwise.
This project is made of threads, so the choice is made here, in the one module
that every console script imports before anything else.  Another library below
imports eventlet wherever it is installed, unused; eventlet would tell every
operator then that it is deprecated.
"""

import warnings

from oslo_service import backend

backend.register_backend_default_hook(lambda: backend.BackendType.THREADING)
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
