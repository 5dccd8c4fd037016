"""The benchmark: ``python -m bench``.

It prints the cost of a call through cells as a multiple of a plain oslo.messaging call,
measured in the same run on the same RabbitMQ: unlike milliseconds, such ratios can be
compared between machines.
"""

import logging
import warnings

# A library that oslo.messaging uses checks for eventlet; the benchmark does not use eventlet.
warnings.filterwarnings("ignore", message="\\s*Eventlet is deprecated")

from oslo_service import backend  # noqa: E402  # it checks for eventlet

# Before any import of oslo.messaging, which would select eventlet.
backend.init_backend(backend.BackendType.THREADING)

# oslo.messaging warns about intended loads of the benchmark, such as many threads.
logging.basicConfig(level=logging.ERROR)
