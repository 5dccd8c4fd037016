"""The checks, in the order in which their findings are shown where the severity is the same."""

from cells.doctor.checks.base import Check
from cells.doctor.checks.broker import BrokerCheck
from cells.doctor.checks.broker_certificates import BrokerCertificateCheck
from cells.doctor.checks.cell_names import CellNameCheck
from cells.doctor.checks.certificates import CertificateCheck
from cells.doctor.checks.clocks import ClockCheck
from cells.doctor.checks.configuration import ConfigurationCheck
from cells.doctor.checks.consumers import ConsumerCheck
from cells.doctor.checks.database import DatabaseCheck
from cells.doctor.checks.dead_letters import DeadLetterCheck
from cells.doctor.checks.management import ManagementCheck
from cells.doctor.checks.managers import ManagerCheck
from cells.doctor.checks.neighbors import NeighborCheck
from cells.doctor.checks.option_names import OptionNameCheck
from cells.doctor.checks.orphans import OrphanCheck
from cells.doctor.checks.permissions import PermissionCheck
from cells.doctor.checks.queues import QueueCheck
from cells.doctor.checks.tree import TreeCheck

__all__ = ["STAGES", "Check"]

#: The checks of one stage run side by side; those of the second use the facts that the first has found.
STAGES: tuple[tuple[Check, ...], ...] = (
    (ConfigurationCheck(), OptionNameCheck(), DatabaseCheck(), BrokerCheck()),
    (
        PermissionCheck(),
        ManagementCheck(),
        QueueCheck(),
        ManagerCheck(),
        ConsumerCheck(),
        NeighborCheck(),
        CertificateCheck(),
        BrokerCertificateCheck(),
        CellNameCheck(),
        ClockCheck(),
        OrphanCheck(),
        DeadLetterCheck(),
        TreeCheck(),
    ),
)
