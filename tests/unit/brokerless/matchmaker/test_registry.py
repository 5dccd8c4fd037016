from __future__ import annotations

import importlib.metadata
from typing import Any

import pytest
import stevedore

from cells import exceptions
from cells.brokerless.matchmaker import MatchMakerStub, load, registry
from tests.cases import each
from tests.unit.brokerless.matchmaker.suite import configuration


@each(
    ("name", "connection", "cls"),
    [
        ("stub", None, "MatchMakerStub"),
        ("localhost", None, "MatchMakerLocalhost"),
        ("sql", "sqlite:////nonexistent/cells.sqlite", "MatchMakerSQL"),
        ("redis", "redis://127.0.0.1:1/0", "MatchMakerRedis"),
    ],
)
def test_matchmakers_are_loaded_by_name_without_io(name: str, connection: str | None, cls: str) -> None:
    assert type(load(configuration(matchmaker=name, matchmaker_connection=connection))).__name__ == cls


def test_argument_overrides_the_option() -> None:
    assert isinstance(load(configuration(matchmaker="sql"), "stub"), MatchMakerStub)


def test_unknown_name_is_an_error() -> None:
    with pytest.raises(exceptions.PluginError, match=r"'zookeeper'.*sql, redis"):
        load(configuration(matchmaker="zookeeper"))


class Broken:
    def __init__(self, conf: object) -> None:
        raise ValueError("out of order")


class Other:
    def __init__(self, conf: object) -> None: ...


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (f"{__name__}:Broken", "ValueError: out of order"),
        (f"{__name__}:Other", "MatchMakerBase"),
        ("cells.no_such_module:Maker", "cannot be loaded"),
    ],
)
def test_plug_in_that_does_not_load_is_an_error(monkeypatch: pytest.MonkeyPatch, value: str, text: str) -> None:
    entry_point = importlib.metadata.EntryPoint("mine", value, registry.MATCHMAKERS.namespace)

    def entry_points(*_: Any, **__: Any) -> list[importlib.metadata.EntryPoint]:
        return [entry_point]

    monkeypatch.setattr(stevedore.ExtensionManager, "list_entry_points", entry_points)
    with pytest.raises(exceptions.PluginError, match="'mine'") as caught:
        load(configuration(matchmaker="mine"))
    assert text in str(caught.value)
