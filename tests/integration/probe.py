"""Script: plain oslo.messaging server in a separate process, controlled by a test.

:mod:`tests.integration.service_process` starts it; it imports nothing of this project.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import oslo_messaging
from oslo_config import cfg

CONF = cfg.CONF
CONF.register_cli_opt(cfg.StrOpt("host"))
TOPIC = "probe"


class ProbeEndpoint:
    target = oslo_messaging.Target(version="1.3")

    def echo(self, ctxt: dict[str, Any], value: Any) -> dict[str, Any]:
        return {"host": CONF.host, "value": value, "context": ctxt}

    def note(self, ctxt: dict[str, Any], mark: str, text: str = "") -> None:
        with Path(mark).open("a") as file:
            file.write(f"{text or CONF.host}\n")

    def work(self, ctxt: dict[str, Any], mark: str, seconds: float) -> str:
        self.note(ctxt, mark)
        time.sleep(seconds)
        return f"{CONF.host} is done"

    def act(self, ctxt: dict[str, Any], acts: dict[str, Any]) -> str:
        """Act by the name of the server: wait so many seconds, or fail with that text."""
        act = acts.get(CONF.host, 0)
        if isinstance(act, str):
            raise RuntimeError(act)  # noqa: TRY004  # as the test demands
        time.sleep(act)
        return str(CONF.host)


class AdminEndpoint:
    target = oslo_messaging.Target(namespace="admin", version="2.1")

    def echo(self, ctxt: dict[str, Any], value: Any) -> dict[str, Any]:
        return {"host": CONF.host, "value": f"admin {value}"}


def main() -> None:
    CONF(sys.argv[1:], project="probe")
    server = oslo_messaging.get_rpc_server(
        oslo_messaging.get_rpc_transport(CONF),
        oslo_messaging.Target(topic=TOPIC, server=CONF.host),
        [ProbeEndpoint(), AdminEndpoint()],
    )
    server.start()
    sys.stdout.write(f"{CONF.host} serves.\n")
    sys.stdout.flush()
    time.sleep(3600)


if __name__ == "__main__":
    main()
