"""Log records of a message have its request ids, in each cell that it reaches, and nothing else of its context."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import cfg
from oslo_context import context as oslo_context
from oslo_log import formatters, log

from cells import exceptions
from cells.cmd.log_format import wrap
from cells.endpoints import Call, endpoint
from tests.functional.cell_tree import CellTree

SHAPE = {"api": {"east": {"az1": {}}}}
LOG = logging.getLogger("cells.tests.endpoint")
CONTEXT = {"request_id": "req-1", "global_request_id": "req-of-all", "user_id": "ada", "tenant": "engines"}
#: names of attributes of a log record, and a value that is a line of its own
HOSTILE = {
    "request_id": "req-2\n2026-01-01 ERROR forged" + "x" * 100_000,
    "levelname": "CRITICAL",
    "msg": "forged",
    "exc_info": [1],
    "service_catalog": [{"secret": "s3kr3t"}],
    "auth_token": "s3kr3t",
}


@endpoint
def speak(call: Call) -> dict[str, Any]:
    LOG.warning("%s speaks", call.cell.name)
    current = oslo_context.get_current()
    return {"user": current.user_id, "roles": current.roles}


@endpoint(blocks=False)
def speak_at_once(call: Call) -> dict[str, Any]:
    return speak(call)


@endpoint
def build(call: Call) -> str:
    """Read the context as an object, which must not stay with the thread."""
    return str(call.context.request_id)


@endpoint
def fail(call: Call) -> None:
    raise exceptions.InvalidArguments("It fails.", method="fail")


class Lines:
    """What the handlers of a manager write."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self._stream = io.StringIO()
        self.handler = logging.StreamHandler(self._stream)
        self.handler.setFormatter(formatter)
        wrap([self.handler])

    def __call__(self) -> list[str]:
        return self._stream.getvalue().splitlines()


@pytest.fixture(scope="module")
def tree() -> Iterator[CellTree]:
    with CellTree(SHAPE, endpoints=[speak, speak_at_once, build, fail]) as tree:
        yield tree


@pytest.fixture(params=[formatters.ContextFormatter, formatters.JSONFormatter])
def lines(request: pytest.FixtureRequest) -> Iterator[Lines]:
    conf = cfg.ConfigOpts()
    log.register_options(conf)
    conf([])
    is_json = request.param is formatters.JSONFormatter
    lines = Lines(request.param() if is_json else request.param(config=conf))
    logger = logging.getLogger("cells")
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(lines.handler)
    yield lines
    logger.removeHandler(lines.handler)
    logger.setLevel(level)


def of(lines: Lines, text: str) -> str:
    (line,) = (line for line in lines() if text in line)
    return line


@pytest.mark.parametrize("method", ["speak", "speak_at_once"])
def test_lines_of_an_endpoint_have_the_request_ids_of_the_first_cell(tree: CellTree, lines: Lines, method: str) -> None:
    assert tree["api"].call("az1", method, ctxt=CONTEXT) == {"user": "ada", "roles": []}
    line = of(lines, "az1 speaks")
    assert all(value in line for value in CONTEXT.values())


def test_lines_about_a_message_have_its_request_id(tree: CellTree, lines: Lines) -> None:
    with pytest.raises(exceptions.InvalidArguments):
        tree["api"].call("az1", "fail", ctxt={"request_id": "req-3"})
    assert "req-3" in of(lines, "It fails.")


@pytest.mark.parametrize("method", ["speak", "speak_at_once"])
def test_the_ids_of_one_request_are_not_in_the_lines_of_the_next(tree: CellTree, lines: Lines, method: str) -> None:
    assert tree["api"].call("az1", "build", ctxt=CONTEXT) == "req-1"
    tree["api"].call("az1", method, ctxt={})
    assert "req-" not in of(lines, "az1 speaks")


def test_a_context_cannot_forge_a_record(tree: CellTree, lines: Lines) -> None:
    tree["api"].call("az1", "speak", ctxt=HOSTILE)
    line = of(lines, "az1 speaks")
    assert "req-2" in line
    assert len(line) < 3000
    assert line.isprintable()
    assert "s3kr3t" not in line
    if line.startswith("{"):
        record = json.loads(line)
        assert (record["levelname"], record["message"], record["traceback"]) == ("WARNING", "az1 speaks", None)
    else:
        assert "WARNING" in line
