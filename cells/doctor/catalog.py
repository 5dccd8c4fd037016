"""The kinds of findings: severity, meaning and remedy of each.  The reference page lists the same, as a test checks.

A name is an interface: monitoring systems compare it.
"""

from __future__ import annotations

import enum
from typing import NamedTuple


class Severity(enum.IntEnum):
    """How bad a finding is; the worst one is the exit status of ``cells doctor``."""

    WORTH_A_LOOK = 1
    BROKEN = 2

    @property
    def text(self) -> str:
        """The severity in words, as the output has it."""
        return self.name.lower().replace("_", " ")


class Kind(NamedTuple):
    """One kind of finding."""

    severity: Severity
    meaning: str
    #: the command or the option that mends it; ``{subject}`` is the neighbor, the queue or the option concerned
    remedy: str


_B, _W = Severity.BROKEN, Severity.WORTH_A_LOOK
_SET_URL = "cells neighbor set {subject} --transport-url ..."

KINDS: dict[str, Kind] = {
    "configuration_unreadable": Kind(
        _B, "No configuration file is found, it cannot be read, or a value in it is wrong.", "correct the file"
    ),
    "setting_wrong": Kind(
        _B, "A setting can never work: the manager refuses to start with it.", "correct the option that is named"
    ),
    "option_misspelt": Kind(
        _W,
        "The file has an option, or a section, that no program reads, and whose name is close to one that exists.",
        "rename it in the configuration file, or remove it",
    ),
    "database_unavailable": Kind(
        _B,
        "The database cannot be reached, or does not answer in time.",
        "start the database, end the session that locks it, or correct [database] connection",
    ),
    "database_outdated": Kind(_B, "The tables are missing or older than this release.", "cells db sync"),
    "database_newer": Kind(_W, "A newer release has upgraded the tables.", "upgrade this host"),
    "neighbor_row_unreadable": Kind(
        _B, "The row of a neighbor is invalid, and the manager ignores it.", "cells neighbor set NAME ..."
    ),
    "certificate_unusable": Kind(
        _B,
        "A certificate for direct links is missing, damaged, not valid yet or expired.",
        "cells cert create --force, and cells neighbor set NAME --certificate FILE in the neighbors",
    ),
    "certificate_expires": Kind(
        _W,
        "A certificate for direct links expires within 30 days, or has expired beside a valid one.",
        "cells cert create, and cells neighbor set NAME --certificate FILE in the neighbors",
    ),
    "broker_certificate_invalid": Kind(
        _B,
        "The TLS certificate of a broker has expired, or is not valid yet: clients that check it do not connect.",
        "replace the certificate of the broker: ssl_options.certfile in its rabbitmq.conf",
    ),
    "broker_certificate_expires": Kind(
        _W,
        "The TLS certificate of a broker expires within 30 days.",
        "replace the certificate of the broker: ssl_options.certfile in its rabbitmq.conf",
    ),
    "broker_unreachable": Kind(
        _B,
        "The broker of this cell does not take a connection, or does not speak AMQP or TLS there.",
        "start the broker, or correct {subject}",
    ),
    "broker_silent": Kind(
        _B, "The broker of this cell takes a connection and does not answer.", "restart the broker, or check the way"
    ),
    "broker_login": Kind(_B, "The broker of this cell refuses the user or the password.", "correct {subject}"),
    "virtual_host": Kind(
        _B,
        "The virtual host of this cell does not exist, or its user has no access to it.",
        "rabbitmqctl add_vhost and set_permissions, or correct {subject}",
    ),
    "broker_blocked": Kind(
        _B,
        "The broker of this cell takes no messages, because it lacks memory or disk space.",
        "give the broker memory or disk space: rabbitmq-diagnostics alarms",
    ),
    "permission_missing": Kind(
        _B,
        "The user of this cell lacks a permission on its broker.",
        "rabbitmqctl set_permissions: see the page brokers",
    ),
    "queue_missing": Kind(
        _B, "A queue of the managers does not exist on the broker.", "start cells-manager, or restart it"
    ),
    "queue_differs": Kind(
        _B,
        "The broker holds a queue with other properties than the configuration declares.",
        "set the options alike in all programs of this cell, or stop them and delete the queue",
    ),
    "queue_without_consumer": Kind(
        _B, "No manager takes messages from a queue of this cell.", "start cells-manager, or restart it"
    ),
    "messages_waiting": Kind(
        _W,
        "Many messages wait in a queue of this cell: its managers are too slow, or hang.",
        "start a further manager of this cell, or restart the one that hangs",
    ),
    "dead_letters": Kind(
        _W,
        "Messages that another queue has rejected, or that have expired there, wait in a queue of dead letters.",
        "look at them, then remove them: rabbitmqctl purge_queue {subject}",
    ),
    "management_unusable": Kind(
        _W,
        "The management API of the broker does not answer, or refuses the user: some checks see less.",
        "correct {subject}, and give its user the tag monitoring",
    ),
    "orphan_queue": Kind(
        _W,
        "A queue of a manager exists that no process reads any more.",
        "delete the queue, if that manager does not come back: rabbitmqctl delete_queue {subject}",
    ),
    "manager_down": Kind(_B, "No manager of this cell runs.", "start cells-manager"),
    "manager_silent": Kind(
        _B, "A manager is connected to the broker and does not answer: it hangs.", "restart cells-manager"
    ),
    "manager_of_other_cell": Kind(
        _B,
        "A manager of another cell answers on the broker of this cell.",
        "give each cell a virtual host of its own in [DEFAULT] transport_url",
    ),
    "managers_with_one_host": Kind(
        _B,
        "Two managers of one cell have one host name, and take each other's answers.",
        "give each manager its own [DEFAULT] host",
    ),
    "managers_differ": Kind(
        _B,
        "Two managers answer as one cell and have different neighbors.",
        "give each cell its own [cells] name and virtual host, or both managers the same [database] connection",
    ),
    "consumer_deaf": Kind(
        _B,
        "A manager does not get the messages that it sends to itself through its broker, so it gets no others either.",
        "restart cells-manager on the host that saw it",
    ),
    "release_differs": Kind(
        _W, "A manager of this cell runs another release than this command.", "restart cells-manager"
    ),
    "neighbor_unknown": Kind(_W, "The neighbor was not probed yet.", "wait for [cells] probe_interval seconds"),
    "neighbor_broker": Kind(_B, "The broker of the neighbor takes no messages.", "start that broker, or " + _SET_URL),
    "neighbor_login": Kind(
        _B,
        "The broker of the neighbor refuses the user, the password or the virtual host of its row.",
        _SET_URL,
    ),
    "neighbor_permission": Kind(
        _B,
        "The user of the row may not write to the exchange of the neighbor's managers.",
        "rabbitmqctl set_permissions on the broker of {subject}: see the page brokers",
    ),
    "wrong_exchange": Kind(
        _B,
        "The broker of the neighbor has no exchange of the name that this cell sends to.",
        "cells neighbor set {subject} --exchange NAME",
    ),
    "queue_full": Kind(
        _B,
        "A queue of the neighbor is full, so its broker refuses messages.",
        "start cells-manager in {subject}, or raise the limit of its queue",
    ),
    "neighbor_manager_down": Kind(_B, "No manager of the neighbor runs.", "start cells-manager in {subject}"),
    "neighbor_silent": Kind(
        _B,
        "The neighbor does not answer, and it is not known whether a manager runs there.",
        "cells doctor in {subject}",
    ),
    "neighbor_hangs": Kind(
        _B,
        "A manager of the neighbor is connected, and does not answer: it hangs, or does not know this cell any more.",
        "restart cells-manager in {subject}, or cells neighbor create there",
    ),
    "neighbor_one_way": Kind(
        _B,
        "Messages of the neighbor arrive, and it does not answer: a transport URL leads to another place.",
        "compare the transport URLs: cells neighbor show in both cells",
    ),
    "one_way_registration": Kind(
        _B,
        "Two cells are neighbors in the database of one of them only.",
        "cells neighbor create in the cell that lacks the row",
    ),
    "url_of_this_cell": Kind(_B, "The transport URL of the neighbor leads to this cell itself.", _SET_URL),
    "link_down": Kind(
        _B,
        "A direct link has no connection.",
        "start cells-manager in {subject}, and compare addresses and certificates of both rows",
    ),
    "move_unfinished": Kind(
        _W,
        "Messages of the neighbor are accepted over a second driver.",
        "cells neighbor set {subject} --also-accept none",
    ),
    "duplicate_name": Kind(
        _B,
        "Two neighbors call themselves the same, so one of them gets no answers.",
        "give each cell its own [cells] name, and register it under that",
    ),
    "ambiguous_name": Kind(
        _W,
        "Cells under different parents have one name, so it can only be used in a full path.",
        "use full paths, or give each cell its own [cells] name",
    ),
    "name_mismatch": Kind(
        _B,
        "The neighbor calls itself another name than that of its row.",
        "cells neighbor delete {subject}, and cells neighbor create with its [cells] name",
    ),
    "cap_unreadable": Kind(
        _B,
        "A version cap cannot be read, and counts as the oldest version.",
        "cells neighbor set NAME --version-cap auto",
    ),
    "cap_too_low": Kind(
        _W,
        "A cap holds a link below the version that both cells read.",
        "cells neighbor set {subject} --version-cap auto, or raise [upgrade_levels] intercell",
    ),
    "messages_lost": Kind(
        _W,
        "This manager gave up messages to the neighbor without an error for their sender.",
        "cells neighbor status -f json shows the reasons as losses",
    ),
    "clock_skew": Kind(
        _W, "The clocks of two cells differ.", "run an NTP client on the hosts of both cells: timedatectl"
    ),
    "source_unreadable": Kind(
        _B,
        "A manager cannot read its neighbors, and works with those that it read last.",
        "cells doctor in that cell",
    ),
    "cell_silent": Kind(_B, "A cell below does not answer.", "cells doctor in the cell above it"),
    "cell_cannot_report": Kind(
        _W, "A cell below answers, and its release has no such report.", "cells doctor in that cell, or upgrade it"
    ),
    "neighbors_left_out": Kind(
        _W, "A cell has more troubled neighbors than one report holds.", "cells doctor in that cell"
    ),
    "check_unfinished": Kind(
        _W, "A check did not end in its time, so its subject is not known.", "cells doctor --timeout 30"
    ),
    "check_failed": Kind(_W, "A check ended with an unexpected error: a defect of this program.", "report it"),
}
