"""Tables, as SQLAlchemy models.

Only this package uses :class:`Cell`; all others use :class:`cells.neighbors.neighbor.Neighbor`.  The table
:class:`Registration` belongs to :class:`cells.brokerless.matchmaker.sql.MatchMakerSQL`.
"""

from __future__ import annotations

import datetime

from oslo_utils import timeutils
from sqlalchemy import Boolean, DateTime, Double, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

#: Binary comparison, as on the other back ends: "East" and "east" are two cells.
MYSQL_OPTIONS = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


class Base(DeclarativeBase):
    """Base of the tables that the migrations create."""


class Cell(Base):
    """A present or former neighbor: rows are never removed, only marked as deleted."""

    __tablename__ = "cells"
    __table_args__ = (
        # Deleting a row sets ``deleted`` to the row's id, which frees the name.
        UniqueConstraint("name", "deleted", name="uniq_cells0name0deleted"),
        MYSQL_OPTIONS,
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    api_url: Mapped[str | None] = mapped_column(String(255))
    transport_url: Mapped[str] = mapped_column(Text)
    weight_offset: Mapped[float] = mapped_column(Double)
    weight_scale: Mapped[float] = mapped_column(Double)
    is_parent: Mapped[bool] = mapped_column(Boolean)
    driver: Mapped[str] = mapped_column(String(255))
    version_cap: Mapped[str | None] = mapped_column(String(255))
    allowed_methods: Mapped[str | None] = mapped_column(Text)
    max_foreign_seconds: Mapped[float | None] = mapped_column(Double)
    addresses: Mapped[str | None] = mapped_column(Text)
    certificates: Mapped[str | None] = mapped_column(Text)
    certificate_path: Mapped[str | None] = mapped_column(Text)
    also_accept: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime.datetime | None] = mapped_column(DateTime, default=timeutils.utcnow)
    updated_at: Mapped[datetime.datetime | None] = mapped_column(DateTime, onupdate=timeutils.utcnow)
    deleted_at: Mapped[datetime.datetime | None] = mapped_column(DateTime)
    deleted: Mapped[int] = mapped_column(Integer, default=0)

    def soft_delete(self) -> None:
        """Mark this row as deleted, which frees its name."""
        self.deleted = self.id
        self.deleted_at = timeutils.utcnow()


class KnownPath(Base):
    """The last known path of a parent of this cell."""

    __tablename__ = "known_paths"
    __table_args__ = MYSQL_OPTIONS

    parent: Mapped[str] = mapped_column(String(255), primary_key=True)
    path: Mapped[str] = mapped_column(Text)


class LinkTransition(Base):
    """The state of a link from one moment on, as one manager of this cell sees it."""

    __tablename__ = "link_transitions"
    __table_args__ = MYSQL_OPTIONS

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    neighbor: Mapped[str] = mapped_column(String(255), index=True)
    manager: Mapped[str] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(32))
    since: Mapped[float] = mapped_column(Double)  #: seconds since 1970, by the clock of the manager's host
    why: Mapped[str] = mapped_column(Text)


class Registration(Base):
    """A host that serves a key on the brokerless transport, with its last heartbeat."""

    __tablename__ = "matchmaker_registrations"
    # Only the digests of the texts are compared, because the texts are too long for an index of MariaDB.
    __table_args__ = MYSQL_OPTIONS

    id: Mapped[str] = mapped_column(String(64), primary_key=True)  #: digest of key and host
    key_id: Mapped[str] = mapped_column(String(64), index=True)  #: digest of the key
    key: Mapped[str] = mapped_column(Text)
    host: Mapped[str] = mapped_column(Text)
    #: Seconds since 1970 by the clock of the database server. No index: every heartbeat changes it.
    refreshed_at: Mapped[float] = mapped_column(Double)
