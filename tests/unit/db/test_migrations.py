"""Scripts of the migrations: expand, then contract; the rule is in cells/db/migration.py."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from cells.db import migration, schema
from tests.cases import each

SCRIPTS = sorted((Path(migration.__file__).parent / "migrations" / "versions").glob("[0-9]*.py"))
#: Operations that only add.
EXPANDING = frozenset({"create_table", "add_column", "create_index"})
#: Contract steps: revision -> first release that does not use the dropped parts.
CONTRACT_STEPS: dict[str, str] = {}


def wrong_steps(source: str) -> list[str]:
    """Return the steps of the migration script ``source`` that the previous release may not survive."""
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = {ast.literal_eval(call.args[0]) for call in calls if is_of_op(call.func, "create_table")}
    return [problem for node in ast.walk(tree) for problem in problems_of(node, made)]


def problems_of(node: ast.AST, made: set[str]) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "alembic":
        if [(alias.name, alias.asname) for alias in node.names] != [("op", None)]:
            yield f"imports more than op: {ast.unparse(node)}"
    elif isinstance(node, ast.Import) and any(alias.name.startswith("alembic") for alias in node.names):
        yield f"imports more than op: {ast.unparse(node)}"
    elif isinstance(node, ast.Attribute) and is_of_op(node) and node.attr not in EXPANDING:
        yield f"op.{node.attr}"
    elif isinstance(node, ast.Call) and is_of_op(node.func, "add_column"):
        column = node.args[1]
        keywords = {word.arg: ast.unparse(word.value) for word in getattr(column, "keywords", ())}
        if keywords.get("nullable") == "False" and "server_default" not in keywords:
            yield f"a column without a default: {ast.unparse(column)}"
    elif isinstance(node, ast.Call) and is_of_op(node.func, "create_index"):
        keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if keywords.get("unique", "False") != "False" and ast.literal_eval(node.args[1]) not in made:
            yield f"a unique index on an existing table: {ast.unparse(node)}"


def is_of_op(node: ast.AST, name: str | None = None) -> bool:
    is_op = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "op"
    return is_op and name in (None, getattr(node, "attr", None))


def revision_of(path: Path) -> str:
    return path.name.partition("_")[0]


def test_scripts_are_the_revisions_of_this_release() -> None:
    assert tuple(map(revision_of, SCRIPTS)) == schema.REVISIONS
    for path in SCRIPTS:
        assert f'\nrevision = "{revision_of(path)}"\n' in path.read_text()


@each("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_only_adds(path: Path) -> None:
    wrong = wrong_steps(path.read_text())
    assert bool(wrong) == (revision_of(path) in CONTRACT_STEPS), (
        f"{path.name}: {wrong}. See the rule in cells/db/migration.py; add a contract step to CONTRACT_STEPS."
    )


def test_contract_steps_are_revisions() -> None:
    assert set(CONTRACT_STEPS) <= set(schema.REVISIONS)


@each(
    ("statements", "problem"),
    [
        ('op.drop_column("cells", "driver")', "op.drop_column"),
        ('op.alter_column("cells", "driver", new_column_name="carrier")', "op.alter_column"),
        ('op.execute("DELETE FROM cells")', "op.execute"),
        ('with op.batch_alter_table("cells") as batch:\n    batch.drop_column("driver")', "op.batch_alter_table"),
        ("remove = op.drop_table", "op.drop_table"),
        ("op.get_bind()", "op.get_bind"),
        ('op.add_column("cells", sa.Column("x", sa.Integer(), nullable=False))', "without a default"),
        ('op.create_index("i", "cells", ["driver"], unique=True)', "unique index"),
        ("from alembic.op import drop_table", "imports more"),
        ("from alembic import op as other", "imports more"),
        ("import alembic.op", "imports more"),
    ],
)
def test_steps_that_break_the_previous_release_are_detected(statements: str, problem: str) -> None:
    (wrong,) = wrong_steps(f"import sqlalchemy as sa\n{statements}\n")
    assert problem in wrong
