"""Rules on the source that no linter checks: sizes and names of modules, use of private attributes."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
MODULES = {str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "cells").rglob("*.py")}
#: Names that fit every content, so unrelated code collects there.
FORBIDDEN_NAMES = ("utils", "common", "helpers", "misc")
MAX_LINES, MAX_MEAN_LINES = 400, 150
PRIVATE = ("_driver", "_reply_q", "_executor_cls", "_work_executor", "_allowed_remote_exmods")


def test_modules_are_short() -> None:
    lines = {name: text.count("\n") for name, text in MODULES.items()}
    assert [name for name in lines if lines[name] > MAX_LINES] == []
    assert sum(lines.values()) / len(lines) <= MAX_MEAN_LINES


def test_no_module_has_a_name_that_fits_everything() -> None:
    assert [name for name in MODULES if Path(name).stem in FORBIDDEN_NAMES] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    # Imports for type checkers count, too: a reader follows them.
    graph = grimp.build_graph("cells", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    graphlib.TopologicalSorter(imports).prepare()


def nodes_of(*words: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield the nodes of each module whose text contains one of the words, with the name of the module."""
    for name, text in MODULES.items():
        if any(word in text for word in words):
            yield from ((name, node) for node in ast.walk(ast.parse(text)))


def test_only_path_knows_the_separator() -> None:
    found = {name for name, node in nodes_of('"!"', "'!'") if isinstance(node, ast.Constant) and node.value == "!"}
    assert found == {"cells/path.py"}


def test_only_two_packages_use_private_attributes_of_oslo_messaging() -> None:
    found = {
        name.split("/")[1]
        for name, node in nodes_of(*(f".{attribute}" for attribute in PRIVATE))
        if isinstance(node, ast.Attribute) and node.attr in PRIVATE and not _is_self(node.value)
    }
    assert found <= {"transport", "brokerless"}


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def test_commands_run_on_threads_without_a_warning_of_eventlet() -> None:
    script = (
        "import cells.cmd.manager, cells.cmd.cells, cells.cmd.status, oslo_messaging\n"
        "from oslo_service import backend\n"
        "backend.get_backend()\n"
        "print(backend.get_backend_type().value)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["threading"], "")
