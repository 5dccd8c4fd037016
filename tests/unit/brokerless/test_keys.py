"""The key store: keys are created, registered and found, and refused if other users could change or read them."""

from __future__ import annotations

import itertools
import os
import stat
from pathlib import Path

import pytest
import zmq
import zmq.auth

from cells import exceptions
from cells.brokerless.keys import KeyStore
from tests.cases import each


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "etc" / "keys")


def new_key() -> str:
    return zmq.curve_keypair()[0].decode()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_pair_is_private_to_this_user(store: KeyStore) -> None:
    previous = os.umask(0)
    try:
        public = store.create()
    finally:
        os.umask(previous)
    assert store.own_public() == public
    assert store.own()[0] == public
    assert zmq.curve_public(store.own()[1]) == public
    assert mode(store.directory) == 0o700
    assert mode(store.directory / "own.key_secret") == 0o600
    assert sorted(os.listdir(store.directory)) == ["known", "own.key", "own.key_secret"]


def test_pair_is_replaced_only_with_force(store: KeyStore) -> None:
    public = store.create()
    with pytest.raises(exceptions.ConfigurationError, match="--force"):
        store.create()
    assert store.own()[0] == public
    assert store.create(force=True) != public
    assert store.own()[0] == store.own_public() != public


def test_public_key_starts_with_a_letter_or_digit(store: KeyStore) -> None:
    assert all(store.create(force=True)[:1].isalnum() for _ in range(10))


def test_missing_pair_is_an_error_that_says_how_to_create_it(store: KeyStore) -> None:
    for ask in (store.own, store.own_public):
        with pytest.raises(exceptions.ConfigurationError, match=r"cells key create.*keys_dir"):
            ask()


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620])
def test_secret_that_other_users_can_read_is_refused(store: KeyStore, bits: int) -> None:
    public = store.create()
    secret = store.own()[1].decode()
    (store.directory / "own.key_secret").chmod(bits)
    with pytest.raises(exceptions.ConfigurationError, match="chmod 600") as caught:
        store.own()
    assert secret not in str(caught.value)
    assert store.own_public() == public


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the owner of a file")
def test_secret_of_another_user_is_refused(store: KeyStore) -> None:
    store.create()
    os.chown(store.directory / "own.key_secret", 12345, -1)
    with pytest.raises(exceptions.ConfigurationError, match="chown"):
        store.own()


def test_files_of_different_pairs_are_refused(store: KeyStore, tmp_path: Path) -> None:
    store.create()
    other = KeyStore(tmp_path / "other")
    other.create()
    (other.directory / "own.key").replace(store.directory / "own.key")
    with pytest.raises(exceptions.ConfigurationError, match="own"):
        store.own()


def test_error_about_a_damaged_secret_does_not_quote_it(store: KeyStore) -> None:
    store.create()
    path = store.directory / "own.key_secret"
    secret = store.own()[1].decode()
    path.write_text(path.read_text().replace(secret, secret[:-1]))
    with pytest.raises(exceptions.ConfigurationError, match=str(path)) as caught:
        store.own()
    assert secret[:10] not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_registered_keys_can_be_listed_and_deleted(store: KeyStore) -> None:
    east, west = new_key(), new_key()
    assert store.names() == []
    assert store.add("west", west) is False
    assert store.add("east.az-1", east.encode()) is False
    assert store.names() == ["east.az-1", "west"]
    assert [store.get(name) for name in store.names()] == [east.encode(), west.encode()]
    store.delete("west")
    assert store.names() == ["east.az-1"]


def test_new_key_replaces_the_old_key(store: KeyStore) -> None:
    old, new = new_key(), new_key()
    assert [store.add("east", key) for key in (old, old, new)] == [False, False, True]
    assert store.names() == ["east"]
    assert store.get("east") == new.encode()


def test_library_can_read_the_files(store: KeyStore) -> None:
    key = new_key()
    store.add("öst", key)
    assert zmq.auth.load_certificate(store.directory / "known" / "öst.key") == (key.encode(), None)
    assert zmq.auth.load_certificates(store.directory / "known") == {key.encode(): True}


def test_unknown_name_is_an_error(store: KeyStore) -> None:
    with pytest.raises(exceptions.ConfigurationError, match="cells key add east"):
        store.get("east")
    with pytest.raises(exceptions.NeighborNotFound) as raised:
        store.delete("east")
    assert raised.value.cell == "east"


@each("name", ["", ".", "..", ".hidden", "a/b", "/etc/passwd", "a b", "a!b", "a\0b", "ö" * 126])
def test_name_that_is_no_file_name_is_refused(store: KeyStore, name: str) -> None:
    for ask in (lambda: store.add(name, new_key()), lambda: store.get(name), lambda: store.delete(name)):
        with pytest.raises(exceptions.InvalidNeighbor):
            ask()
    assert not store.directory.exists()


def test_longest_name_is_accepted(store: KeyStore) -> None:
    name = "x" * 251
    store.add(name, new_key())
    assert store.names() == [name]


@each("key", ["", "x" * 39, "x" * 41, "'" * 40, "%" * 40 + "\n", "é" * 40, "#" * 40])
def test_malformed_key_is_refused(store: KeyStore, key: str) -> None:
    with pytest.raises(exceptions.InvalidNeighbor):
        store.add("east", key)
    assert store.names() == []


@each("text", ["", "curve\n", 'public-key = "x"', "public-key"])
def test_error_names_the_damaged_file(store: KeyStore, text: str) -> None:
    path = store.directory / "known" / "east.key"
    path.unlink(missing_ok=True)
    store.add("east", new_key())
    path.write_text(text)
    with pytest.raises(exceptions.ConfigurationError, match=str(path)):
        store.get("east")


@pytest.mark.parametrize("name", [".", "known"])
def test_directory_that_other_users_may_write_to_is_refused(store: KeyStore, name: str) -> None:
    store.add("east", new_key())
    (store.directory / name).chmod(0o770)
    for ask in (store.names, lambda: store.get("east"), lambda: store.add("west", new_key()), store.create):
        with pytest.raises(exceptions.ConfigurationError, match="chmod go-w"):
            ask()


def test_file_instead_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").touch()
    store = KeyStore(tmp_path / "keys")
    for ask in (store.create, store.own, store.own_public, store.names, lambda: store.add("east", new_key())):
        with pytest.raises(exceptions.ConfigurationError, match=str(tmp_path / "keys")):
            ask()


def test_fingerprint_changes_with_every_change(store: KeyStore) -> None:
    key = new_key()
    seen = [store.fingerprint()]
    for change in (
        store.create,
        lambda: store.add("east", key),
        lambda: store.add("east", new_key()),
        lambda: store.add("east", key),
        lambda: store.create(force=True),
        lambda: store.delete("east"),
    ):
        change()
        assert store.fingerprint() == store.fingerprint()
        seen.append(store.fingerprint())
    assert all(before != after for before, after in itertools.pairwise(seen))
