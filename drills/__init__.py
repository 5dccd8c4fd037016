"""The fault drills: ``python -m drills [NAME...]``.

Real managers, brokers and services run under a constant load while one fault at a time is
made.  Afterwards each message that was sent is looked up at its target, and each difference
between the sent, the executed and the reported messages is either explained or a violation.
"""

import logging
import warnings

# A library that oslo.messaging uses checks for eventlet; the drills do not use eventlet.
warnings.filterwarnings("ignore", message="\\s*Eventlet is deprecated")

from oslo_service import backend  # noqa: E402  # it checks for eventlet

# Before any import of oslo.messaging, which would select eventlet.
backend.init_backend(backend.BackendType.THREADING)

# The load provokes warnings of oslo.messaging: its brokers and servers fail on purpose.
logging.basicConfig(level=logging.ERROR)
