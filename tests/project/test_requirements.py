"""The requirements of setup.cfg equal the imports and the tested lower bounds."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import re
import sys

from tests.cases import each
from tests.project.sources import ROOT

SETUP = configparser.ConfigParser(delimiters=("=",))
SETUP.read(ROOT / "setup.cfg")


def test_pyproject_has_no_project_table() -> None:
    # With such a table, setuptools ignores the entry points of setup.cfg without an error.
    tables = re.findall(r"^\[(.+)\]$", (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    assert "build-system" in tables
    assert [table for table in tables if table.split(".")[0] == "project"] == []


def test_lower_constraints_are_the_lower_bounds_of_setup() -> None:
    requirements = [SETUP["options"]["install_requires"]]
    requirements += [SETUP["options.extras_require"][extra] for extra in ("api", "mysql", "postgresql", "test")]
    bounds = dict(
        re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[a-z]+\])?>=([0-9.]+)", "\n".join(requirements), flags=re.MULTILINE)
    )
    text = (ROOT / "lower-constraints.txt").read_text()
    constraints = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([0-9.]+)$", text, flags=re.MULTILINE))

    def without_trailing_zeros(versions: dict[str, str]) -> dict[str, str]:
        return {name: re.sub(r"(\.0)+$", "", version) for name, version in versions.items()}

    assert bounds
    assert without_trailing_zeros(bounds) == without_trailing_zeros(constraints)


#: The modules that need the extra "api".
API = ("cells/api/", "cells/wsgi/", "cells/cmd/api.py")


def imported_packages(*, of_api: bool) -> set[str]:
    """Return the top-level names that the package imports at run time, without the standard library and itself."""
    found = set()
    for path in (ROOT / "cells").rglob("*.py"):
        if path.relative_to(ROOT).as_posix().startswith(API) is not of_api:
            continue
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


@each(("of_api", "extras"), [(False, ()), (True, ("api",))])
def test_imported_packages_are_required(of_api: bool, extras: tuple[str, ...]) -> None:
    def canonical(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    lines = SETUP["options"]["install_requires"].split()
    lines += [line for extra in extras for line in SETUP["options.extras_require"][extra].split()]
    required = {canonical(re.split(r"[\[>]", line)[0]) for line in lines}
    # Python 3.10 does not know the modules of a package that does not list them.
    distributions = {"zmq": ["pyzmq"], **importlib.metadata.packages_distributions()}
    found = imported_packages(of_api=of_api)
    imported = {package: {canonical(name) for name in distributions[package]} for package in found}
    assert "oslo_messaging" in imported
    assert {package for package, names in imported.items() if not names & required} == set()


def test_every_requirement_has_a_lower_bound() -> None:
    lines = SETUP["options"]["install_requires"].split()
    assert lines
    assert [line for line in lines if ">=" not in line] == []
