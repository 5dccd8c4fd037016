"""The benchmark: ``python -m bench``.

Prints what a call through cells costs as a multiple of what a plain oslo.messaging
call costs in the same run on the same RabbitMQ: milliseconds of one machine say
nothing on another one, ratios do.
"""

import logging
import warnings

# A library of oslo.messaging's looks whether eventlet is there; nothing here uses it.
warnings.filterwarnings("ignore", message="\\s*Eventlet is deprecated")

from oslo_service import backend  # noqa: E402 it is what looks

# Before anything imports oslo.messaging, which would choose eventlet.
backend.init_backend(backend.BackendType.THREADING)

# oslo.messaging warns of things that a benchmark does on purpose, such as many threads.
logging.basicConfig(level=logging.ERROR)
