"""Loader of plug-ins by name; the tests of drivers and MatchMakers cover its errors, too."""

from __future__ import annotations

from typing import Any

import pytest
from cliff.formatters.base import ListFormatter
from cliff.formatters.json_format import JSONFormatter

from cells import exceptions
from cells.plugins import Kind

# Plug-ins that are always installed.
NAMESPACE = "cliff.formatter.list"


def kind(base: type[Any]) -> Kind[Any]:
    return Kind(NAMESPACE, "format", base, "name another one")


def test_a_constructor_that_raises_is_a_plugin_error() -> None:
    with pytest.raises(exceptions.PluginError, match=r"'json'.*TypeError"):
        kind(ListFormatter).make("json", "argument")


def test_a_plug_in_is_created_with_its_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JSONFormatter, "__init__", lambda self, argument: setattr(self, "argument", argument))
    assert kind(ListFormatter).make("json", 7).argument == 7


def test_another_base_class_is_a_plugin_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JSONFormatter, "__init__", lambda self, _argument: None)
    with pytest.raises(exceptions.PluginError, match=r"'json'.*Exception.*JSONFormatter"):
        kind(Exception).make("json", 7)


def test_an_error_of_cells_from_a_constructor_passes_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: object, _argument: object) -> None:
        raise exceptions.ConfigurationError("[cells] is wrong.")

    monkeypatch.setattr(JSONFormatter, "__init__", refuse)
    with pytest.raises(exceptions.ConfigurationError, match=r"^\[cells\] is wrong\.$") as caught:
        kind(ListFormatter).make("json", 7)
    assert type(caught.value) is exceptions.ConfigurationError


def test_an_unknown_name_is_a_plugin_error() -> None:
    with pytest.raises(exceptions.PluginError, match=r"'xyz'.* or name another one"):
        kind(ListFormatter).make("xyz", None)
