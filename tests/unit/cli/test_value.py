"""What every command shows that shows a value: ``cells call`` stands for them all in test_call."""

from __future__ import annotations

import inspect

from cells.cli import call, service
from cells.cli.value import ValueCommand


def test_commands_that_show_a_value() -> None:
    assert issubclass(call.Call, ValueCommand)
    assert issubclass(service.Call, ValueCommand)
    assert inspect.isabstract(ValueCommand)
