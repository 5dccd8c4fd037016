"""The configuration file and the database of every cell, with its neighbors.

The result equals that of ``cells db sync`` and ``cells neighbor create``, but one process creates it:
a process for each command would take longer than the rest of the setup.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Mapping

from cells import conf as cells_conf
from cells.db import migration
from cells.db.api import Database
from cells.neighbors.neighbor import Neighbor
from cells.sandbox.layout import CellFiles, Layout
from cells.sandbox.links import SandboxLinks
from cells.sandbox.transports import SandboxTransport
from cells.sandbox.tree import Tree

#: Short, so that an operator sees a change soon; a sandbox has little traffic.
ANNOUNCE_INTERVAL_SECONDS = 5
CALL_TIMEOUT_SECONDS = 10
MIN_HOP_COUNT = 10


def create(layout: Layout, tree: Tree, transport: SandboxTransport, links: SandboxLinks) -> None:
    """Create the files of all cells.

    :raises cells.exceptions.DatabaseError: a database cannot be created
    :raises OSError: a file cannot be created
    """
    names = tree.names()
    for name in names:
        _write_configuration(layout.cell(name), tree, transport, links)
    links.create()
    first = layout.cell(names[0])
    # Every database starts with the same empty tables.
    migration.sync(cells_conf.load([first.config]))
    for name in names[1:]:
        shutil.copyfile(first.database, layout.cell(name).database)
    neighbors: dict[str, list[Neighbor]] = {name: [] for name in names}
    for parent, child in tree.links():
        neighbors[parent].append(links.neighbor(child, is_parent=False))
        neighbors[child].append(links.neighbor(parent, is_parent=True))
    for name, rows in neighbors.items():
        _register(layout.cell(name), rows)


def _register(files: CellFiles, rows: list[Neighbor]) -> None:
    with contextlib.closing(Database(cells_conf.load([files.config]))) as database:
        for row in rows:
            database.create(row)


def _write_configuration(files: CellFiles, tree: Tree, transport: SandboxTransport, links: SandboxLinks) -> None:
    sections: dict[str, dict[str, object]] = {
        "DEFAULT": {"host": files.name, "transport_url": transport.own_url(files.name), "state_path": files.directory},
        "cells": {
            "name": files.name,
            "announce_interval": ANNOUNCE_INTERVAL_SECONDS,
            "call_timeout": CALL_TIMEOUT_SECONDS,
            # The longest route leads from a leaf over the top to another leaf.
            "max_hop_count": max(MIN_HOP_COUNT, 2 * tree.depth()),
            # All cells, and all processes that can reach them, belong to one user of this machine.
            "allowed_services": "*/*",
        },
    }
    for section, options in itertools.chain(transport.options(files.name).items(), links.options(files.name).items()):
        sections.setdefault(section, {}).update(options)
    files.directory.mkdir(mode=0o700)
    # The file may have a password.
    with open(os.open(files.config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write("\n".join(_lines(sections)))


def _lines(sections: Mapping[str, Mapping[str, object]]) -> list[str]:
    lines = ["# Written by 'cells sandbox up'; 'cells sandbox down' removes this file."]
    for section, options in sections.items():
        # In oslo.config "$" starts a reference to another option.
        lines += [f"[{section}]", *(f"{key} = {str(value).replace('$', '$$')}" for key, value in options.items()), ""]
    return lines
