"""Settings that cannot work are found before the manager starts, each with the name of its option."""

from __future__ import annotations

from pathlib import Path

import pytest
from oslo_config import cfg
from oslo_messaging._drivers import impl_rabbit

from cells import conf as cells_conf
from cells import exceptions, preflight
from cells.transport import queue_names
from tests.cases import each

RABBIT = "rabbit://guest:guest@localhost:5672/"


class Settings:
    """Load a configuration with these options by section, and return the problems of its settings."""

    def __init__(self, path: Path) -> None:
        self._path = path / "cells.conf"

    def load(self, **sections: dict[str, str]) -> cfg.ConfigOpts:
        values: dict[str, dict[str, str]] = {
            "DEFAULT": {"transport_url": RABBIT, "host": "h"},
            "cells": {"name": "api"},
            "database": {"connection": "sqlite://"},
        }
        for section, options in sections.items():
            values.setdefault(section, {}).update(options)
        lines = [
            line
            for section, options in values.items()
            for line in (f"[{section}]", *(f"{name} = {value}" for name, value in options.items()))
        ]
        self._path.write_text("\n".join([*lines, ""]))
        return cells_conf.load([self._path])

    def problems(self, **sections: dict[str, str]) -> list[str]:
        try:
            conf = self.load(**sections)
        except exceptions.ConfigurationError as error:
            return [error.message]
        return list(preflight.problems(conf))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path)


@each("url", [RABBIT, "fake://", "zmq:///", "rabbit://g%25:g%2540@h/a%2Fb", "rabbit://h1:1,h2:2//", "rabbit://"])
def test_settings_that_work_have_no_problem(settings: Settings, url: str) -> None:
    assert settings.problems(DEFAULT={"transport_url": url}) == []


@each(
    ("section", "option", "value"),
    [
        ("DEFAULT", "transport_url", "rabbit://guest:pa$sword@localhost/"),
        ("database", "connection", "postgresql://u:pa$sword@h/cells"),
        ("cells", "name", "a$sword"),
    ],
)
def test_a_dollar_sign_is_explained(settings: Settings, section: str, option: str, value: str) -> None:
    """(case E1)"""
    (problem,) = settings.problems(**{section: {option: value}})
    assert f"[{section}] {option}" in problem
    assert "'$$'" in problem
    assert "sword" not in problem


def test_a_doubled_dollar_sign_works(settings: Settings) -> None:
    """(case E1)"""
    assert settings.problems(DEFAULT={"transport_url": "rabbit://guest:pa$$sword@localhost/"}) == []


@each(
    ("section", "option", "value"),
    [
        ("oslo_messaging_rabbit", "rabbit_qos_prefetch_count", "many"),
        ("oslo_messaging_rabbit", "heartbeat_rate", "often"),
        ("DEFAULT", "rpc_response_timeout", "soon"),
        ("DEFAULT", "graceful_shutdown_timeout", "soon"),
        ("DEFAULT", "log_rotation_type", "never"),
        ("database", "max_pool_size", "big"),
    ],
)
def test_options_of_libraries_are_read(settings: Settings, section: str, option: str, value: str) -> None:
    (problem,) = settings.problems(**{section: {option: value}})
    assert f"[{section}] {option}" in problem


@each("virtual_host", ["a%252Fb", "a%2525", "a%3Fb", "a%23b", "%ff"])
def test_a_virtual_host_that_does_not_survive_is_refused(settings: Settings, virtual_host: str) -> None:
    """(case E2)"""
    (problem,) = settings.problems(DEFAULT={"transport_url": f"rabbit://u:p@h/{virtual_host}"})
    assert "[DEFAULT] transport_url" in problem


@each(
    ("section", "option", "length"),
    [
        *(("DEFAULT", "host", length) for length in (219, 240, 300)),
        *(("cells", "topic", 240), ("cells", "rpc_driver_queue_base", 240)),
        *(("DEFAULT", "control_exchange", 256), ("cells", "exchange", 256)),
    ],
)
def test_names_that_amqp_has_no_room_for_are_refused(
    settings: Settings, section: str, option: str, length: int
) -> None:
    """(case E3)"""
    (problem,) = settings.problems(**{section: {option: "n" * length}})
    assert f"[{section}] {option}" in problem


def test_bytes_count_and_not_characters(settings: Settings) -> None:
    """(case E3)"""
    assert settings.problems(DEFAULT={"host": "h" * 120}) == []
    assert settings.problems(DEFAULT={"host": "ß" * 120}) != []


@each("login", ["u:p%E2%82%AC", "u:p%00", "u:p%ff"])
def test_a_database_password_that_cannot_be_sent_is_refused(settings: Settings, login: str) -> None:
    """(case E4)"""
    (problem,) = settings.problems(database={"connection": f"mysql+pymysql://{login}@h/cells"})
    assert "[database] connection" in problem


@each("url", ["postgresql://u:p%E2%82%AC@h/cells", "mysql+pymysql://u:p%C3%A4@h/cells"])
def test_a_database_password_that_can_be_sent(settings: Settings, url: str) -> None:
    """(case E4)"""
    assert settings.problems(database={"connection": url}) == []


@each("bind", ["192.0.2.1:5570", "no-such-host.invalid:5570", "127.0.0.1", "*:5570"])
def test_an_address_that_is_not_of_this_host_is_refused(settings: Settings, bind: str) -> None:
    (problem,) = settings.problems(DEFAULT={"transport_url": "zmq:///"}, oslo_messaging_zmq={"bind": bind})
    assert "[oslo_messaging_zmq] bind" in problem


def test_an_address_of_this_host_is_taken(settings: Settings) -> None:
    assert settings.problems(DEFAULT={"transport_url": "zmq:///"}, oslo_messaging_zmq={"bind": "127.0.0.1:5570"}) == []


@each("listen", ["192.0.2.1:5680", "127.0.0.1", "no-such-host.invalid:5680", "*:5680"])
def test_an_address_for_direct_links_that_cannot_work_is_refused(settings: Settings, listen: str) -> None:
    (problem,) = settings.problems(cells_direct={"listen": f"127.0.0.1:5680,{listen}"})
    assert "[cells_direct] listen" in problem


def test_addresses_for_direct_links_are_taken(settings: Settings) -> None:
    assert settings.problems(cells_direct={"listen": "127.0.0.1:5680,0.0.0.0:5681"}) == []


@each("listen", ["9180", "127.0.0.1", "192.0.2.1:9180"])
def test_an_address_for_metrics_that_cannot_be_used_is_named(settings: Settings, listen: str) -> None:
    (problem,) = settings.problems(cells_metrics={"listen": listen})
    assert "[cells_metrics] listen" in problem


def test_the_first_problem_ends_the_start(settings: Settings) -> None:
    with pytest.raises(exceptions.ConfigurationError):
        preflight.check(settings.load(DEFAULT={"host": "h" * 240}))


def test_a_command_on_another_host_needs_no_address_of_the_manager(settings: Settings) -> None:
    conf = settings.load(cells_direct={"listen": "192.0.2.1:5680"}, cells_metrics={"listen": "192.0.2.1:9180"})
    preflight.check(conf, is_manager=False)
    with pytest.raises(exceptions.ConfigurationError):
        preflight.check(conf)


def test_a_default_of_the_library_may_change_after_the_check(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manager checks its settings first, and then applies its patches to oslo.messaging."""
    conf = settings.load()
    preflight.check(conf)
    prefetch = next(option for option in impl_rabbit.rabbit_opts if option.name == "rabbit_qos_prefetch_count")
    monkeypatch.setattr(prefetch, "default", 77)
    queue_names.name_manager(conf, "api")
    assert conf.oslo_messaging_rabbit.rabbit_qos_prefetch_count == 77


BOX = "rabbit://guest:guest@localhost/box"


@each("url", [BOX, "rabbit://u:p@other:5672/", "zmq:///", "rabbit://u:p@h/v?ssl=true"])
def test_a_mailbox_apart_from_the_own_bus(settings: Settings, url: str) -> None:
    assert settings.problems(cells={"mailbox_url": url, "mailbox_migration": "true"}) == []


@each(
    ("own", "url"),
    [
        (RABBIT, RABBIT),
        (RABBIT, "rabbit://other:login@LOCALHOST"),
        (RABBIT, "rabbit://u:p@h:5673,u:p@localhost:5672/%2F?ssl=true"),
        ("rabbit://h/v", "rabbit://u:s3kr3t@h:5672/v"),
        ("zmq:///", "zmq:///"),
        (RABBIT, "no-url"),
        (RABBIT, "rabbit://u:s3kr3t@h/a%2525"),
        (RABBIT, "no-such-transport://u:s3kr3t@h/v"),
        (RABBIT, "rabbit://u:s3kr3t@h/v?heartbeat_rate=often"),
    ],
)
def test_a_mailbox_that_cannot_be_one(settings: Settings, own: str, url: str) -> None:
    (problem,) = settings.problems(DEFAULT={"transport_url": own}, cells={"mailbox_url": url})
    assert "[cells] mailbox_url" in problem
    assert "s3kr3t" not in problem


def test_a_migration_needs_a_mailbox(settings: Settings) -> None:
    (problem,) = settings.problems(cells={"mailbox_migration": "true"})
    assert "[cells] mailbox_migration" in problem


def test_the_address_of_a_brokerless_mailbox_is_checked(settings: Settings) -> None:
    (problem,) = settings.problems(cells={"mailbox_url": "zmq:///"}, oslo_messaging_zmq={"bind": "192.0.2.1:5570"})
    assert "[oslo_messaging_zmq] bind" in problem
