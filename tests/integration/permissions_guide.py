"""The commands of the administration guide that create users and give them permissions."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from tools.broker_node import BrokerNode

GUIDE = Path(__file__).parents[2] / "doc/source/admin/brokers.rst"


def run(broker: BrokerNode, virtual_hosts: Mapping[str, str]) -> dict[str, str]:
    """Run the commands; return the password of each user.

    :param virtual_hosts: virtual hosts of the node by their names in the guide
    """
    commands = [shlex.split(line) for line in re.findall(r"^   # rabbitmqctl (.*)$", GUIDE.read_text(), re.MULTILINE)]
    for words in commands:
        if words[0] != "add_vhost":  # the node has them already
            broker.control(*(virtual_hosts.get(word, word) for word in words))
    return {words[1]: words[2] for words in commands if words[0] == "add_user"}
