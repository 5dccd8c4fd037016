"""MatchMakerRedis with right and wrong configurations; tests/integration/test_matchmakers.py uses a server."""

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
def test_wrong_url_is_refused_without_showing_secrets(connection: str | None) -> None:
    with pytest.raises(exceptions.ConfigurationError, match="matchmaker_connection") as caught:
        MatchMakerRedis(configuration(matchmaker_connection=connection))
    assert "s3kr3t" not in str(caught.value)


@each(
    "connection",
    ["redis://u:s3kr3t@127.0.0.1:1/0", "rediss://:s3kr3t@127.0.0.1:1/0?prefix=x:", "unix:///nonexistent/s.sock"],
)
def test_unavailable_server_is_named_without_secrets(connection: str, caplog: pytest.LogCaptureFixture) -> None:
    maker = MatchMakerRedis(configuration(matchmaker_connection=connection))
    with pytest.raises(exceptions.MatchMakerException) as caught:
        maker.queues(TOPIC)
    maker.stop_heartbeat()
    text = str(caught.value)
    assert "\n" not in text
    assert "s3kr3t" not in text + caplog.text
    assert connection.rpartition("@")[2].partition("?")[0] in text


def test_missing_library_is_an_error_that_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(exceptions.ConfigurationError, match=r"cells-intercell\[redis\]"):
        MatchMakerRedis(configuration(matchmaker_connection="redis://127.0.0.1/0"))
