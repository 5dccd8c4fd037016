"""What setup.cfg promises: entry points that load, and bounds that are the tested ones."""

import ast
import configparser
import importlib.metadata
import re
import sys
from pathlib import Path

from tests.cases import each

ROOT = Path(__file__).parents[2]
DISTRIBUTION = "cells-intercell"
GROUPS = ("console_scripts", "cells.drivers", "cells.endpoints", "cells.cli", "oslo.config.opts")


def read_setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.read(ROOT / "setup.cfg")
    return parser


SETUP = read_setup()


def entry_points_of_setup() -> list[tuple[str, str, str]]:
    found = []
    for group, lines in SETUP["options.entry_points"].items():
        for line in lines.strip().splitlines():
            name, _, value = (part.strip() for part in line.partition("="))
            found.append((group, name, value))
    return found


@each(("group", "name", "value"), entry_points_of_setup())
def test_entry_point_loads(group: str, name: str, value: str) -> None:
    importlib.metadata.EntryPoint(name, value, group).load()


@each("group", GROUPS)
def test_group_of_entry_points_is_not_empty(group: str) -> None:
    assert [name for of_group, name, _value in entry_points_of_setup() if of_group == group]


def test_installed_entry_points_are_those_of_setup() -> None:
    installed = importlib.metadata.distribution(DISTRIBUTION).entry_points
    assert {(found.group, found.name, found.value) for found in installed} == set(entry_points_of_setup()), (
        'What is installed is older than setup.cfg: run "pip install -e ." again.'
    )


def test_pyproject_has_no_project_table() -> None:
    # With one, setuptools would ignore the entry points of setup.cfg without a word.
    tables = re.findall(r"^\[(.+)\]$", (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    assert "build-system" in tables
    assert [table for table in tables if table.split(".")[0] == "project"] == []


def test_lower_constraints_are_the_lower_bounds_of_setup() -> None:
    requirements = [SETUP["options"]["install_requires"]]
    requirements += [SETUP["options.extras_require"][extra] for extra in ("mysql", "postgresql", "test")]
    bounds = dict(
        re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[a-z]+\])?>=([0-9.]+)", "\n".join(requirements), flags=re.MULTILINE)
    )
    text = (ROOT / "lower-constraints.txt").read_text()
    constraints = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([0-9.]+)$", text, flags=re.MULTILINE))

    def without_trailing_zeros(versions: dict[str, str]) -> dict[str, str]:
        return {name: re.sub(r"(\.0)+$", "", version) for name, version in versions.items()}

    assert bounds
    assert without_trailing_zeros(bounds) == without_trailing_zeros(constraints)


def imported_packages() -> set[str]:
    """Top-level names of what the package imports when it runs, the standard library and itself left out."""
    found = set()
    for path in (ROOT / "cells").rglob("*.py"):
        tree = ast.parse(path.read_text())
        types_only = {
            statement
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for statement in node.body
        }
        for node in set(ast.walk(tree)) - types_only:
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"cells"}


def test_what_is_imported_is_required() -> None:
    def canonical(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    lines = SETUP["options"]["install_requires"].split()
    required = {canonical(re.split(r"[\[>]", line)[0]) for line in lines}
    # Of a package that does not list its modules, Python 3.10 does not know which it brings.
    distributions = {"zmq": ["pyzmq"], **importlib.metadata.packages_distributions()}
    imported = {package: {canonical(name) for name in distributions[package]} for package in imported_packages()}
    assert "oslo_messaging" in imported
    assert {package for package, names in imported.items() if not names & required} == set()


def test_every_requirement_has_a_lower_bound() -> None:
    lines = SETUP["options"]["install_requires"].split()
    assert lines
    assert [line for line in lines if ">=" not in line] == []
