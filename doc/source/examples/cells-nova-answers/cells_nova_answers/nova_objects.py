"""The form in which Nova's services send objects to each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def nova_object(name: str, version: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object as JSON values, as Nova's serializer writes and reads it.

    :param version: a release of Nova reads the versions of an object up to its own, so the oldest version with all
        of ``data`` is the best
    """
    return {
        "nova_object.name": name,
        "nova_object.namespace": "nova",
        "nova_object.version": version,
        "nova_object.data": dict(data),
    }
