"""Valid and invalid transport URLs."""

from __future__ import annotations

from pathlib import Path

import oslo_messaging
import pytest
from oslo_config import cfg

from cells import conf as cells_conf
from cells import exceptions
from cells.brokerless import transport_url
from tests.cases import each


@pytest.fixture(scope="module")
def conf() -> cfg.ConfigOpts:
    return cells_conf.load([])


def parse(conf: cfg.ConfigOpts, text: str) -> oslo_messaging.TransportURL:
    return oslo_messaging.TransportURL.parse(conf, text)


@each(
    ("text", "endpoints"),
    [
        *((text, []) for text in ("zmq://", "zmq:///", "zmq+ipc:///run/cells")),
        ("zmq://10.0.0.5:5570/", ["tcp://10.0.0.5:5570"]),
        ("zmq://10.0.0.5:5570,node-1:5571/?peer=east", ["tcp://10.0.0.5:5570", "tcp://node-1:5571"]),
        ("zmq://[fd00::5]:5570", ["tcp://[fd00::5]:5570"]),
    ],
)
def test_endpoints(conf: cfg.ConfigOpts, text: str, endpoints: list[str]) -> None:
    assert transport_url.endpoints(parse(conf, text)) == endpoints


@each(
    ("text", "directory"),
    [
        ("zmq+ipc:///run/cells/east", "/run/cells/east"),
        ("zmq+ipc:///%2Frun%2Fcells%2Feast", "/run/cells/east"),
        ("zmq+ipc:///run%2Fcells%2Feast", "/run/cells/east"),
        ("zmq+ipc:///run/cells%40east?peer=x", "/run/cells@east"),
        *((text, None) for text in ("zmq:///", "zmq://10.0.0.5:5570/")),
    ],
)
def test_directory(conf: cfg.ConfigOpts, text: str, directory: str | None) -> None:
    assert transport_url.directory(parse(conf, text)) == (Path(directory) if directory else None)


@each("text", ["zmq+ipc://", "zmq+ipc:///", "zmq+ipc://host:1/run", "zmq+ipc://user:s3cret@/run"])
def test_url_without_a_valid_directory(conf: cfg.ConfigOpts, text: str) -> None:
    with pytest.raises(exceptions.ConfigurationError, match="zmq\\+ipc") as raised:
        transport_url.directory(parse(conf, text))
    assert "s3cret" not in str(raised.value)


@each(
    "text",
    [
        *("zmq://10.0.0.5/", "zmq://10.0.0.5:5570,10.0.0.6/", "zmq:///run/cells", "zmq://10.0.0.5:5570/vhost"),
        *("zmq://user:s3cret@10.0.0.5:5570/", "zmq://:s3cret@10.0.0.5:5570/"),
    ],
)
def test_url_without_valid_endpoints(conf: cfg.ConfigOpts, text: str) -> None:
    with pytest.raises(exceptions.ConfigurationError) as raised:
        transport_url.endpoints(parse(conf, text))
    assert "s3cret" not in str(raised.value)
