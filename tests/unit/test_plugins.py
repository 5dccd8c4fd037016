"""One plug-in by its name; what can go wrong with it is told by the tests of drivers and MatchMakers too."""

from __future__ import annotations

from typing import Any

import pytest
from cliff.formatters.base import ListFormatter
from cliff.formatters.json_format import JSONFormatter

from cells import exceptions
from cells.plugins import Kind

# Some plug-ins that are installed for sure, made of nothing.
NAMESPACE = "cliff.formatter.list"


def kind(base: type[Any]) -> Kind[Any]:
    return Kind(NAMESPACE, "format", base, "name another one")


def test_it_is_found_but_takes_an_argument_that_this_one_does_not_know() -> None:
    with pytest.raises(exceptions.PluginError, match=r"The format 'json' cannot be made: TypeError: .*argument"):
        kind(ListFormatter).make("json", "argument")


def test_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JSONFormatter, "__init__", lambda self, argument: setattr(self, "argument", argument))
    assert kind(ListFormatter).make("json", 7).argument == 7


def test_it_is_of_another_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JSONFormatter, "__init__", lambda self, _argument: None)
    with pytest.raises(exceptions.PluginError, match="The format 'json' is no Exception but JSONFormatter"):
        kind(Exception).make("json", 7)


def test_its_constructor_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: object, _argument: object) -> None:
        raise exceptions.ConfigurationError("[cells] is wrong.")

    monkeypatch.setattr(JSONFormatter, "__init__", refuse)
    with pytest.raises(exceptions.ConfigurationError, match=r"^\[cells\] is wrong\.$"):
        kind(ListFormatter).make("json", 7)


def test_there_is_none() -> None:
    with pytest.raises(exceptions.PluginError, match=r"There is no format 'xyz': install .* or name another one"):
        kind(ListFormatter).make("xyz", None)
