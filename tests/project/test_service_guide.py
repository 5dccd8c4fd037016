"""The guide "Call a service in another cell" agrees with its example and with the code."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap

import oslo_messaging

import cells.rpc
from cells import exceptions
from tests.cases import each
from tests.project.sources import COMMANDS, DOC, ROOT, commands_in

EXAMPLE = DOC / "examples" / "inventory"
GUIDE = (DOC / "user" / "services.rst").read_text()
#: Keywords of client.prepare() that oslo.messaging does not have.
OWN = {"cell", "cells", "need"}


def five_lines() -> str:
    found = re.search(r"    # begin\n(.*?)    # end\n", (EXAMPLE / "five_lines.py").read_text(), flags=re.DOTALL)
    assert found is not None
    return textwrap.dedent(found[1])


def test_readme_shows_the_five_lines_of_the_example() -> None:
    assert len(five_lines().splitlines()) == 5
    assert five_lines() in (ROOT / "README.md").read_text()


@each("name", sorted(path.name for path in EXAMPLE.glob("*.py")))
def test_guide_includes_each_file_of_the_example(name: str) -> None:
    assert f".. literalinclude:: ../examples/inventory/{name}\n" in GUIDE


def test_server_of_the_example_does_not_import_cells() -> None:
    tree = ast.parse((EXAMPLE / "server.py").read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "oslo_messaging" in imported
    assert [name for name in imported if name.split(".")[0] == "cells"] == []


def test_guide_starts_the_scripts_of_the_example() -> None:
    started = re.findall(r"^    \$ python (\S+) --config-file", GUIDE, flags=re.MULTILINE)
    assert started == ["server.py", "client.py"]
    assert [name for name in started if not (EXAMPLE / name).exists()] == []


def test_commands_of_the_guide_exist() -> None:
    used = commands_in("\n".join(re.findall(r"^    \$ (.*)$", GUIDE, flags=re.MULTILINE)))
    assert "sandbox up" in used
    assert used <= COMMANDS


@each("block", re.findall(r"^\.\. code-block:: python\n\n((?:   .*\n|\n)+)", GUIDE, flags=re.MULTILINE))
def test_code_of_the_guide_is_python(block: str) -> None:
    ast.parse(textwrap.dedent(block))


def errors_of_the_guide() -> list[str]:
    section = GUIDE.partition("\nErrors\n======\n")[2].partition("\n====")[0]
    first_columns = re.findall(r"^   \* - (.*)$", section, flags=re.MULTILINE)
    return re.findall(r"``((?:[a-z_]+\.)*[A-Z]\w+)``", " ".join(first_columns))


@each("name", errors_of_the_guide())
def test_error_of_the_guide_exists(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    place = {"cells.rpc": cells.rpc, "oslo_messaging": oslo_messaging, "": exceptions}[module]
    assert issubclass(getattr(place, attribute), Exception)


def test_guide_explains_the_keywords_that_prepare_adds() -> None:
    ours = set(inspect.signature(cells.rpc.RPCClient.prepare).parameters)
    assert ours - set(inspect.signature(oslo_messaging.RPCClient.prepare).parameters) == OWN
    assert [name for name in OWN if f"``{name}``" not in GUIDE] == []
