"""The commands of the administration guide that create users and give them permissions."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from tools.broker_node import BrokerNode

GUIDE = Path(__file__).parents[2] / "doc/source/admin/brokers.rst"
#: The virtual hosts of the cells api and east, and of the mailbox of east.
API, EAST, MAILBOX = "a", "b", "c"


@pytest.fixture(scope="module")
def passwords(own_broker: BrokerNode) -> dict[str, str]:
    """The passwords of the users of the guide, who exist on the node."""
    return run(own_broker, {"east": EAST, "east-mailbox": MAILBOX})


def login_url(broker: BrokerNode, virtual_host: str, user: str, passwords: Mapping[str, str]) -> str:
    """Return the transport URL of a virtual host for one of these users."""
    return broker.url(virtual_host).replace("guest:guest", f"{user}:{passwords[user]}")


def run(broker: BrokerNode, virtual_hosts: Mapping[str, str]) -> dict[str, str]:
    """Run the commands; return the password of each user.

    :param virtual_hosts: virtual hosts of the node by their names in the guide
    """
    commands = [shlex.split(line) for line in re.findall(r"^   # rabbitmqctl (.*)$", GUIDE.read_text(), re.MULTILINE)]
    for words in commands:
        if words[0] != "add_vhost":  # the node has them already
            broker.control(*(virtual_hosts.get(word, word) for word in words))
    return {words[1]: words[2] for words in commands if words[0] == "add_user"}
