from __future__ import annotations

from collections.abc import Collection
from concurrent import futures
from typing import Any

import pytest

from cells import exceptions
from cells.rpc.exceptions import InvalidRPCConnectionReuse
from cells.rpc.library_state import LibraryState
from cells.transport import open_transport
from tests.cases import each
from tests.unit.rpc.own_cell import configured


class Opened:
    """Opens transports and counts how often each is closed."""

    def __init__(self) -> None:
        self.modules: list[Collection[str]] = []
        self.closed: list[int] = []

    def __call__(self, conf: Any, exception_modules: Collection[str]) -> Any:
        transport, number = open_transport(conf, exception_modules=exception_modules), len(self.modules)
        self.modules.append(exception_modules)
        cleanup = transport.cleanup

        def close() -> None:
            self.closed.append(number)
            cleanup()

        transport.cleanup = close
        return transport


def test_a_shared_transport_and_a_transport_for_each_new_connection() -> None:
    opened = Opened()
    state = LibraryState(opened)
    with configured() as conf:
        state.init(conf, ["ours"])
        assert opened.modules == []
        with futures.ThreadPoolExecutor(8) as pool:
            assert len({client.transport for client in pool.map(lambda _: state.client(), range(32))}) == 1
        sharing, own, other = state.connect(is_new=False), state.connect(is_new=True), state.connect(is_new=True)
        assert opened.modules == [("ours",)] * 3
        sharing.close()
        assert opened.closed == []
        own.close()
        assert opened.closed == [1]
        state.cleanup()
        assert opened.closed == [1, 2, 0]
        state.cleanup()
        assert opened.closed == [1, 2, 0]
        with pytest.raises(InvalidRPCConnectionReuse):
            other.consume_in_thread()


def test_use_before_init_or_after_cleanup_is_a_configuration_error() -> None:
    state = LibraryState()
    state.cleanup()
    for use in (state.client, lambda: state.connect(is_new=True), lambda: state.connect(is_new=False)):
        with pytest.raises(exceptions.ConfigurationError, match=r"cells\.rpc\.init"):
            use()


def test_init_twice() -> None:
    state = LibraryState()
    with configured() as conf:
        state.init(conf, ())
        with pytest.raises(exceptions.ConfigurationError, match=r"cells\.rpc\.cleanup\(\)"):
            state.init(conf, ())
        state.cleanup()
        state.init(conf, ())


def test_a_text_is_no_list_of_modules() -> None:
    with configured() as conf, pytest.raises(exceptions.InvalidArguments):
        LibraryState().init(conf, "ours")


@each("conf", [None, {}, "cells.conf"])
def test_an_invalid_configuration_is_refused(conf: Any) -> None:
    with pytest.raises(exceptions.InvalidArguments, match=r"oslo\.config"):
        LibraryState().init(conf, ())


def test_an_unusable_transport_url_is_a_configuration_error() -> None:
    state = LibraryState()
    with configured() as conf:
        conf.set_override("transport_url", "rabbit://user:secret@[")
        state.init(conf, ())
        with pytest.raises(exceptions.ConfigurationError, match="transport_url") as caught:
            state.client()
        assert "secret" not in str(caught.value)
