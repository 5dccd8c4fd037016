"""ServiceMessage: the message, a dictionary, that the functions of :mod:`cells.rpc.api` send."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cells import exceptions
from cells.services.request import RESERVED
from cells.services.validation import want_name

KEYS = ("method", "args", "namespace", "version")


@dataclass(frozen=True)
class ServiceMessage:
    """A message ``{"method": ..., "args": {...}}``, with ``namespace`` and ``version`` if the method has them."""

    method: str
    args: Mapping[str, Any] = field(default_factory=dict)
    namespace: str | None = None
    version: str | None = None

    @classmethod
    def read(cls, msg: object) -> ServiceMessage:
        """Return the message of ``msg``, which stays unchanged.

        :raises cells.exceptions.InvalidArguments: ``msg`` is not a message
        """
        if not isinstance(msg, Mapping):
            raise exceptions.InvalidArguments(
                f'A message must be a dict like {{"method": "count", "args": {{...}}}}, not {type(msg).__name__}.'
            )
        unknown = sorted(str(key) for key in msg if key not in KEYS)
        if unknown:
            raise exceptions.InvalidArguments(
                f"A message may have the keys {', '.join(KEYS)}, but not {', '.join(unknown):.200}."
            )
        namespace = msg.get("namespace")
        return cls(
            want_name(msg.get("method"), "The method of a message"),
            _args(msg.get("args", {})),
            None if namespace is None else want_name(namespace, "The namespace of a message"),
            _version(msg.get("version")),
        )

    @property
    def options(self) -> dict[str, str]:
        """The options of the message for a client's prepare()."""
        named = {"namespace": self.namespace, "version": self.version}
        return {key: value for key, value in named.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return the message in the form that a server of oslo.messaging reads."""
        return {"method": self.method, "args": dict(self.args), **self.options}


def _args(args: object) -> Mapping[str, Any]:
    if not isinstance(args, Mapping) or not all(isinstance(name, str) for name in args):
        raise exceptions.InvalidArguments(
            f"The args of a message must be a dict with the names of arguments as keys, not {args!r:.80}."
        )
    reserved = args.keys() & RESERVED
    if reserved:
        raise exceptions.InvalidArguments(
            f"A message cannot have the argument {', '.join(sorted(reserved))}: oslo.messaging uses that name itself."
        )
    return args


def _version(version: object) -> str | None:
    if version is None or (isinstance(version, str) and re.fullmatch(r"[0-9]+(\.[0-9]+){1,2}", version)):
        return version
    raise exceptions.InvalidArguments(f"The version of a message must be a text like '1.2', not {version!r:.40}.")
