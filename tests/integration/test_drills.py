"""The fault drills run: a short one without a fault."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from drills.catalog import DRILLS
from drills.run import Length, run
from tools import broker_node
from tools.databases import DatabaseServerError
from tools.direct_links import Links

pytestmark = [pytest.mark.rabbitmq, pytest.mark.postgresql]


@pytest.mark.parametrize("links", ["rpc", "direct"])
def test_no_promise_is_broken_without_a_fault(links: Links) -> None:
    if not broker_node.is_installed():
        pytest.skip("no programs rabbitmq-server and rabbitmqctl")
    with tempfile.TemporaryDirectory(prefix="cells-drills-") as place:
        try:
            verdict = run(DRILLS["baseline"], Path(place), seed=1, length=Length(before=1, after=2), links=links)
        except DatabaseServerError as error:
            pytest.skip(str(error))
    assert verdict.violations == []
    assert all(verdict.sent[kind] for kind in ("call", "rcast", "ecast"))
