"""Registry of endpoints: messages can call only decorated functions, with arguments that fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells import exceptions
from cells.endpoints import Call, Endpoints, endpoint
from cells.path import CellPath
from tests.cases import each
from tests.unit.endpoints.cells_in_memory import CellInMemory


@endpoint
def add(call: Call, first: int, second: int = 10) -> int:
    return first + second


@endpoint(name="echo", accepts=("broadcast",))
def anything(call: Call, **values: Any) -> dict[str, Any]:
    return values


@endpoint
def broken(call: Call) -> None:
    raise TypeError("a bug within")


@pytest.fixture(scope="module")
def invoke() -> Callable[..., Any]:
    with CellInMemory("east") as cell:
        own = cell.cell
    endpoints = Endpoints([add, anything, broken])

    def invoke(method: str, arguments: dict[str, Any], message_type: str = "targeted") -> Any:
        route = CellPath.parse("api!east")
        return endpoints.invoke(Call(own, method, arguments, message_type, route, None, {}))

    return invoke


def test_the_built_in_endpoints() -> None:
    resources = {"announce_capabilities", "announce_capacities", "update_capabilities", "update_capacities"}
    assert set(Endpoints.load().names()) >= {*resources, "parse_responses", "ping"}


def test_names_are_sorted() -> None:
    assert Endpoints([broken, anything, add]).names() == ["add", "broken", "echo"]
    assert Endpoints().names() == []


def test_calls_with_arguments_by_keyword(invoke: Callable[..., Any]) -> None:
    assert invoke("add", {"first": 1, "second": 2}) == 3
    assert invoke("add", {"first": 1}) == 11
    assert invoke("echo", {"a": [1]}, "broadcast") == {"a": [1]}


@each(
    "name",
    [
        *("", "nothing", "__init__", "__class__", "anything", "invoke", "add ", "ADD", "os.system", "names"),
        *("\ud800", "a" * 9999),
    ],
)
def test_undecorated_functions_cannot_be_called(invoke: Callable[..., Any], name: str) -> None:
    with pytest.raises(exceptions.UnknownMethod) as caught:
        invoke(name, {"first": 1})
    assert (caught.value.cell, caught.value.method) == ("east", name)
    assert len(caught.value.message) < 300


@each(("name", "message_type"), [("add", "response"), ("echo", "targeted"), ("add", "unknown")])
def test_type_that_the_endpoint_does_not_accept(invoke: Callable[..., Any], name: str, message_type: str) -> None:
    with pytest.raises(exceptions.UnknownMethod) as caught:
        invoke(name, {"first": 1}, message_type)
    assert caught.value.method == name


@each(
    "arguments",
    [
        *({}, {"second": 1}, {"first": 1, "third": 3}),
        *({"first": 1, "call": 5}, {"first": 1, "self": 5}, {"": 1, "first": 1}),
    ],
)
def test_arguments_that_do_not_fit(invoke: Callable[..., Any], arguments: dict[str, Any]) -> None:
    with pytest.raises(exceptions.InvalidArguments, match=r"add\(first, second=10\)") as caught:
        invoke("add", arguments)
    assert (caught.value.cell, caught.value.method) == ("east", "add")


def test_a_type_error_of_the_endpoint_is_not_invalid_arguments(invoke: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="a bug within"):
        invoke("broken", {})


@given(
    st.sampled_from(["add", "echo", "other"]) | st.text(max_size=5), st.dictionaries(st.text(max_size=6), st.integers())
)
def test_random_calls_are_message_errors(invoke: Callable[..., Any], name: str, arguments: dict[str, Any]) -> None:
    if name == "add" and "first" in arguments and arguments.keys() <= {"first", "second"}:
        assert invoke(name, arguments) == arguments["first"] + arguments.get("second", 10)
    else:
        with pytest.raises(exceptions.MessageError):
            invoke(name, arguments)


def test_an_undecorated_function_is_refused() -> None:
    with pytest.raises(exceptions.PluginError):
        Endpoints([len])


def test_two_functions_with_the_same_name_are_refused() -> None:
    @endpoint(name="add")
    def other(call: Call) -> None: ...

    endpoints = Endpoints([add])
    endpoints.add(add)
    with pytest.raises(exceptions.PluginError, match=r"'add'.*test_registry\.add.*other"):
        endpoints.add(other)
