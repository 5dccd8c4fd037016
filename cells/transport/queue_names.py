"""Names of the queues of managers and commands, which share one configuration file.

With [oslo_messaging_rabbit] use_queue_manager, oslo.messaging builds the names of reply queues and fan-out queues from
``hostname`` and ``processname`` of the configuration, and a counter per pair in the shared memory of the host.  All
processes that read one file would have one pair: a command would take the replies of its manager, and each of two
managers on one host half of the fan-outs.  A service has a configuration of its own, and keeps its names.
"""

from __future__ import annotations

from oslo_config import cfg

from cells.transport.opening import register_rabbitmq_options

GROUP = "oslo_messaging_rabbit"
#: RabbitMQ deletes the reply queue of a command so long after the command has ended.
COMMAND_TTL_SECONDS = 60


def name_manager(conf: cfg.ConfigOpts, cell: str) -> None:
    """Name the queues of this process by [DEFAULT] host and its cell: a manager has the same names after a restart.

    ``hostname`` and ``processname`` have no effect: two managers may have the same values.
    """
    register_rabbitmq_options(conf)
    # The host is unique among the managers of one cell; managers of different cells share the memory of a machine.
    conf.set_override("hostname", _in_file_name(conf.host), group=GROUP)
    conf.set_override("processname", _in_file_name(f"cells-manager-{cell}"), group=GROUP)


def name_command(conf: cfg.ConfigOpts) -> None:
    """Give this process queues with random names, which RabbitMQ deletes soon after its end."""
    register_rabbitmq_options(conf)
    conf.set_override("use_queue_manager", override=False, group=GROUP)
    conf.set_override("rabbit_transient_queues_ttl", COMMAND_TTL_SECONDS, group=GROUP)


def _in_file_name(name: str) -> str:
    """Return ``name`` without the separator of directories: oslo.messaging makes a file name of it."""
    return name.replace("/", "_")
