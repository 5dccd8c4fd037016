"""``cells neighbor``: the neighbors in this cell's database, and their state.

Only ``status`` asks the manager.  The other commands use the database; the manager reads
a change within [cells] db_check_interval seconds, or at once after SIGHUP.  If the manager reads
its neighbors from a file, ``list`` and ``show`` read that file, and the others refuse.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from cliff import lister, show

from cells import context, exceptions, printable
from cells.cli import base, direct_arguments, neighbor_arguments
from cells.neighbors import registration, row_checks
from cells.neighbors.loader import FileSource
from cells.neighbors.neighbor import COLUMNS, Neighbor
from cells.neighbors.registration import Registration
from cells.transport import link_options
from cells.transport import url as transport_url

LOG = logging.getLogger(__name__)


class NeighborCommand(base.CellCommand):
    """Base of the commands that use the database."""

    def neighbors(self) -> list[Neighbor]:
        """Return the neighbors from the source that the manager reads: the file, or the database."""
        if self.conf.cells.cells_config:
            return sorted(FileSource(self.conf.cells.cells_config).neighbors(), key=lambda row: row.name)
        with self.database() as database:
            return database.neighbors()

    def check_is_in_database(self) -> None:
        """Check that a change in the database would have an effect.

        :raises cells.exceptions.NeighborsReadOnly: the manager reads its neighbors from a file
        """
        registration.check_is_in_database(self.conf.cells.cells_config)

    @property
    def registration(self) -> Registration:
        """The changes of single neighbors in the database."""
        return Registration(self.conf.cells.name, self.conf.cells_direct.certificate, self.database)

    def check_is_another_cell(self, name: str) -> None:
        """Check that ``name`` is not the name of this cell.

        :raises cells.exceptions.InvalidNeighbor: it is
        :raises cells.exceptions.ConfigurationError: this cell has no name
        """
        row_checks.check_is_another_cell(name, self.conf.cells.name)

    def check_certificates(self, name: str, changes: Mapping[str, Any]) -> None:
        """Check that no certificate among ``changes`` of the neighbor ``name`` is that of this cell.

        :raises cells.exceptions.InvalidNeighbor: one is
        """
        row_checks.check_certificates(name, changes, self.conf.cells_direct.certificate)

    def remark_on(self, row: Neighbor, *, is_url_new: bool) -> None:
        """Log a WARNING if a row that was written probably does not lead to the neighbor."""
        remarks = [direct_arguments.remark_on(row, self.conf.cells_direct.ca)]
        if is_url_new:
            remarks.append(self._remark_on_url(row))
        for remark in filter(None, remarks):
            LOG.warning("%s", remark)

    def _remark_on_url(self, row: Neighbor) -> str:
        own_urls: tuple[str, ...] = ()
        if transport_url.is_rabbitmq(row.transport_url):
            from cells.transport import mailbox, opening  # noqa: PLC0415  # oslo.messaging is slow to import

            opening.register_options(self.conf)
            own_urls = mailbox.own_urls(self.conf)
        return neighbor_arguments.remark_on(row.name, row.transport_url, own_urls)


class Create(NeighborCommand, show.ShowOne):
    """Register a neighbor: a cell with which this cell exchanges messages directly.

    The transport URL is the URL of the NEIGHBOR's broker; a direct link needs none. Register
    this cell in the neighbor's database too, as its child or parent.
    """

    shows_progress = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="[cells] name of the neighbor")
        neighbor_arguments.add_columns(parser, is_type_required=True)

    def take_action(self, parsed_args: argparse.Namespace) -> base.Record:
        """Register the neighbor and return its row; called by cliff."""
        self.check_is_in_database()
        columns = neighbor_arguments.columns(parsed_args)
        direct_arguments.check_is_complete(parsed_args.name, columns)
        parts, of_link = neighbor_arguments.parts(parsed_args), neighbor_arguments.link_changes(parsed_args)
        row = self.registration.create(parsed_args.name, columns, parts, of_link)
        self.remark_on(row, is_url_new=True)
        return _shown(row, parsed_args)


class Set(NeighborCommand, show.ShowOne):
    """Change columns of a neighbor; columns that are not given stay unchanged."""

    shows_progress = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name of the neighbor")
        neighbor_arguments.add_columns(parser, is_type_required=False)

    def take_action(self, parsed_args: argparse.Namespace) -> base.Record:
        """Change the row and return it; called by cliff."""
        self.check_is_in_database()
        changes = neighbor_arguments.columns(parsed_args)
        parts, of_link = neighbor_arguments.parts(parsed_args), neighbor_arguments.link_changes(parsed_args)
        if not changes and not parts and not of_link:
            raise exceptions.InvalidNeighbor(f"No change is given for neighbor {parsed_args.name}: add an option.")
        row = self.registration.update(parsed_args.name, changes, parts, of_link)
        self.remark_on(row, is_url_new="transport_url" in changes or bool(parts or of_link))
        return _shown(row, parsed_args)


class Show(NeighborCommand, show.ShowOne):
    """Show the registered columns of a neighbor, and the options of its link."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name of the neighbor")
        neighbor_arguments.add_show_secrets(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> base.Record:
        """Return the row; called by cliff."""
        if self.conf.cells.cells_config:
            found = [row for row in self.neighbors() if row.name == parsed_args.name]
            if not found:
                raise exceptions.NeighborNotFound(
                    f"There is no neighbor {parsed_args.name} in {self.conf.cells.cells_config}.", cell=parsed_args.name
                )
            return _shown(found[0], parsed_args)
        with self.database() as database:
            return _shown(database.get(parsed_args.name), parsed_args)


class List(NeighborCommand, lister.Lister):
    """List the registered neighbors."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        neighbor_arguments.add_show_secrets(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], list[Sequence[Any]]]:
        """Return all rows; called by cliff."""
        return _HEADERS, [_record(row, parsed_args, is_short=True)[1] for row in self.neighbors()]


class Delete(NeighborCommand):
    """Delete neighbors. The manager closes its connections to them within [cells] db_check_interval seconds."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("names", metavar="NAME", nargs="+", help="name of a neighbor")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Delete the rows; called by cliff."""
        self.check_is_in_database()
        with self.database() as database:
            for name in parsed_args.names:
                try:
                    database.delete(name)
                except exceptions.NeighborNotFound as error:
                    self.fail(error.message)


class Status(base.CellCommand, lister.Lister):
    """Show the state of the neighbors, as seen by the manager of this cell.

    The state is "up" (it answers probes), "silent" (it did not answer the last one), "mute" (no message for
    [cells] mute_child_interval seconds), "unreachable" (its broker did not take the last message, or its direct link is
    down), "reconnecting" (its direct link lost its last connection a short time ago), "unknown" (not probed yet) or
    "unregistered" (a cell that sends to this cell, which does not know it). "unanswered" counts the probes since the
    last answer, which "answered_by" gave; "way" is "both", "in" (only its messages arrive) or "none".
    "version" is the highest version of the inter-cell API that the neighbor reads, "spoken" the version that this
    cell sends.  The problem of each neighbor is a line on stderr, and "problem" in JSON; the exit status is then 1.
    "lost" counts messages that this manager gave up without an error for their sender, "may_have_arrived" those that
    a broker may have nevertheless, "in_flight" those that it has not passed on yet; "losses" has all of them by
    kind and reason.  "link" is the state of a direct link with the managers that are connected; in JSON with their
    addresses, round trips and credit, and the messages that wait; also while "also_accept" names the driver of
    direct links beside another "driver".
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_timeout(parser, base.FIRST_LOOK_SECONDS)

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], list[Sequence[Any]]]:
        """Return a row for each neighbor; called by cliff."""
        with self.manager(parsed_args.timeout) as manager:
            neighbors = manager.neighbors(context.get_admin_context())
        for neighbor in neighbors:
            self.check_answers(neighbor.get("cell"))
        for neighbor in neighbors:
            if neighbor.get("problem"):
                self.fail(neighbor["problem"])
            elif neighbor["state"] != "up":
                self.exit_status = base.STATUS_DEGRADED
        return _STATUS_HEADERS, [
            (
                neighbor["name"],
                _type(is_parent=neighbor["is_parent"]),
                *(neighbor.get(header) for header in _STATUS_HEADERS[2:-3]),
                _Losses(neighbor.get("losses") or []),
                _Link(neighbor.get("link")),
                neighbor.get("also_accept"),
            )
            for neighbor in neighbors
        ]


class _Losses(base.JSONColumn):
    """Column of losses by kind and reason, with one of them per line in a table."""

    def human_readable(self) -> str:
        """Return the text for a table; called by cliff."""
        return "\n".join(
            f"{loss['kind']} ({loss['reason']}): {loss['lost']} lost, {loss['may_have_arrived']} may have arrived, "
            f"{loss['told']} told"
            for loss in self._value
        )


class _Link(base.JSONColumn):
    """Column of the state of a direct link: in a table with one connected manager per line.

    If there is none, the managers of this cell that have a connection follow.
    """

    def human_readable(self) -> str:
        """Return the text for a table; called by cliff."""
        if not self._value:
            return ""
        managers = [f"{manager['host']} ({manager['address']})" for manager in self._value.get("managers", ())]
        siblings = [f"through {host}" for host in self._value.get("through", ()) if not managers]
        return "\n".join(printable.line(text) for text in [str(self._value["state"]), *managers, *siblings])


_STATUS_HEADERS = (
    *("name", "type", "driver", "state", "since_seconds", "last_seen_seconds", "unanswered", "round_trip_seconds"),
    *("answered_by", "way", "version", "spoken", "seen_by"),
    *("lost", "may_have_arrived", "in_flight", "problem", "losses", "link", "also_accept"),
)
_HEADERS = tuple("type" if column == "is_parent" else column for column in COLUMNS)


def _record(row: Neighbor, parsed_args: argparse.Namespace, *, is_short: bool) -> base.Record:
    certificates = direct_arguments.Certificates(row, is_short=is_short)
    values = {**row.as_dict(), "is_parent": _type(is_parent=row.is_parent), "certificates": certificates}
    if not parsed_args.show_secrets:
        values["transport_url"] = transport_url.mask(row.transport_url)
    return _HEADERS, tuple(values[column] for column in COLUMNS)


def _shown(row: Neighbor, parsed_args: argparse.Namespace) -> base.Record:
    """Return the columns, whether the neighbor dials in, and the options that the query of the transport URL holds."""
    headers, values = _record(row, parsed_args, is_short=False)
    options = link_options.read(values[COLUMNS.index("transport_url")])
    exchange = options.pop(link_options.EXCHANGE, None)
    listed = ", ".join(f"{name}={value}" for name, value in sorted(options.items())) or None
    return (*headers, "dials_in", "exchange", "link_options"), (*values, row.dials_in, exchange, listed)


def _type(*, is_parent: bool | None) -> str:
    if is_parent is None:  # of a cell that is not registered
        return ""
    return "parent" if is_parent else "child"
