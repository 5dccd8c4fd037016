"""The tables as SQLAlchemy knows them.

Only this package imports the neighbors': all others see Neighbor.  The table of
the servers that can be reached without a broker is
:class:`cells.brokerless.matchmaker.sql.MatchMakerSQL`'s.
"""

from __future__ import annotations

import datetime

from oslo_utils import timeutils
from sqlalchemy import Boolean, DateTime, Double, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The tables that the migrations have to make."""


class Cell(Base):
    """A neighbor, or one that was: a row is never taken away, only marked as deleted."""

    __tablename__ = "cells"
    __table_args__ = (
        # A name is free again once its row is deleted, because ``deleted`` is the row's id then.
        UniqueConstraint("name", "deleted", name="uniq_cells0name0deleted"),
        # Binary comparison, as on the other back ends: "East" and "east" are two cells.
        {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"},
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
    created_at: Mapped[datetime.datetime | None] = mapped_column(DateTime, default=timeutils.utcnow)
    updated_at: Mapped[datetime.datetime | None] = mapped_column(DateTime, onupdate=timeutils.utcnow)
    deleted_at: Mapped[datetime.datetime | None] = mapped_column(DateTime)
    deleted: Mapped[int] = mapped_column(Integer, default=0)

    def soft_delete(self) -> None:
        """Mark this row as deleted, which frees its name."""
        self.deleted = self.id
        self.deleted_at = timeutils.utcnow()


class Registration(Base):
    """A host that serves a key, on the transport without a broker, as of its last heartbeat."""

    __tablename__ = "matchmaker_registrations"
    # The texts are compared through their digests alone: an index of MariaDB has no room for them.
    __table_args__: dict[str, str] = {  # noqa: RUF012  # SQLAlchemy wants a dict
        "mysql_engine": "InnoDB",
        "mysql_charset": "utf8mb4",
        "mysql_collate": "utf8mb4_bin",
    }

    id: Mapped[str] = mapped_column(String(64), primary_key=True)  #: digest of key and host
    key_id: Mapped[str] = mapped_column(String(64), index=True)  #: digest of the key
    key: Mapped[str] = mapped_column(Text)
    host: Mapped[str] = mapped_column(Text)
    #: Seconds since 1970 by the clock of the database server. No index: every heartbeat changes it.
    refreshed_at: Mapped[float] = mapped_column(Double)
