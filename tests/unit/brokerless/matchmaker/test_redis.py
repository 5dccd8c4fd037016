"""What MatchMakerRedis makes of its configuration; tests/integration/test_matchmakers.py has the rest."""

from __future__ import annotations

import sys

import pytest

from cells import exceptions
from cells.brokerless.matchmaker.redis import MatchMakerRedis
from tests.cases import each
from tests.unit.brokerless.matchmaker.suite import TOPIC, configuration


@each(
    "connection",
    [
        None,
        "",
        "127.0.0.1:6379",
        "postgresql://u:s3kr3t@h/cells",
        "redis://u:s3kr3t@h:port/0",
        "redis://[u:s3kr3t@h/0",
        "redis://u:s3kr3t@h/0?socket_timeout=s3kr3t",
    ],
)
def test_a_url_that_is_none(connection: str | None) -> None:
    with pytest.raises(exceptions.ConfigurationError, match="matchmaker_connection") as caught:
        MatchMakerRedis(configuration(matchmaker_connection=connection))
    assert "s3kr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "connection",
    ["redis://u:s3kr3t@127.0.0.1:1/0", "rediss://:s3kr3t@127.0.0.1:1/0?prefix=x:", "unix:///nonexistent/s.sock"],
)
def test_a_server_that_is_away(connection: str, caplog: pytest.LogCaptureFixture) -> None:
    maker = MatchMakerRedis(configuration(matchmaker_connection=connection))
    with pytest.raises(exceptions.MatchMakerException, match="Redis at ") as caught:
        maker.queues(TOPIC)
    maker.stop_heartbeat()
    text = str(caught.value)
    assert "\n" not in text
    assert "s3kr3t" not in text + caplog.text
    assert connection.rpartition("@")[2].partition("?")[0] in text


def test_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(exceptions.ConfigurationError, match=r"pip install cells-intercell\[redis\]"):
        MatchMakerRedis(configuration(matchmaker_connection="redis://127.0.0.1/0"))
