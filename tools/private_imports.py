"""A contract for import-linter: only some packages import the private modules of a library.

import-linter's own "forbidden" contract cannot name a module inside a library.
"""

from __future__ import annotations

import re
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class PrivateImportsContract(Contract):
    """Options: ``library``, a top-level package; ``allowed``, the packages that may import its private modules."""

    type_name = "private_imports"

    library = fields.StringField()
    allowed = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002  # import-linter's signature
        """Called by import-linter."""
        library: Any = self.library
        allowed: Any = self.allowed
        private = re.compile(rf"\b{library}[\w.]*(\._| import _)")
        broken = [
            f"{importer}:{detail['line_number']}: {detail['line_contents']}"
            for importer in sorted(graph.find_modules_that_directly_import(library))
            for detail in graph.get_import_details(importer=importer, imported=library)
            if private.search(detail["line_contents"])
            and not any(f"{importer}.".startswith(f"{package}.") for package in allowed)
        ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Called by import-linter."""
        for line in check.metadata["broken"]:
            output.print_error(line)
