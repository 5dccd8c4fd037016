"""Rules on the source that no linter checks: layers, sizes, names of modules."""

import ast
import subprocess
import sys
from pathlib import Path

from tests.cases import each

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "cells").rglob("*.py"))
# Names that fit every content, so unrelated code collects there.
FORBIDDEN_NAMES = ("utils", "common", "helpers", "misc")
MAX_LINES = 400


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@each("path", MODULES, ids=relative)
def test_module_is_not_too_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_modules_are_short_on_average() -> None:
    total = sum(len(path.read_text().splitlines()) for path in MODULES)
    assert total / len(MODULES) <= 150


def test_no_module_has_a_name_that_fits_everything() -> None:
    assert [relative(path) for path in MODULES if path.stem in FORBIDDEN_NAMES] == []


def test_only_path_knows_the_separator() -> None:
    def has_separator(path: Path) -> bool:
        return any(
            isinstance(node, ast.Constant) and node.value == "!" for node in ast.walk(ast.parse(path.read_text()))
        )

    assert [relative(path) for path in MODULES if has_separator(path)] == ["cells/path.py"]


def test_only_two_packages_use_private_attributes_of_oslo_messaging() -> None:
    private = {"_driver", "_reply_q", "_executor_cls", "_work_executor", "_allowed_remote_exmods"}

    def uses_private_attributes(path: Path) -> bool:
        return any(
            isinstance(node, ast.Attribute) and node.attr in private and not _is_self(node.value)
            for node in ast.walk(ast.parse(path.read_text()))
        )

    users = {relative(path).split("/")[1] for path in MODULES if uses_private_attributes(path)}
    assert users <= {"transport", "brokerless"}


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def test_imports_go_one_way() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


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
