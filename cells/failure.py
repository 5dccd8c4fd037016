"""JSON form of an exception that travels from one cell to another.

The text is ``{"class", "module", "message", "tb", "args", "kwargs"}``.  The receiving cell
rebuilds the exception only if the list of allowed modules contains its module, as an instance of
a class ``<class>_Remote`` that derives from the original class.  All other exceptions become
:class:`cells.exceptions.RemoteError`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import traceback
from collections.abc import Collection
from typing import Any

from oslo_serialization import jsonutils

from cells import exceptions

REMOTE_SUFFIX = "_Remote"


def to_json(error: BaseException, *, with_traceback: bool = True) -> str:
    """Return the JSON text of ``error``; never raises.

    Values without a JSON form are replaced by their ``repr``.
    """
    cls = type(error)
    name, module = cls.__name__, cls.__module__
    if name.endswith(REMOTE_SUFFIX):
        # An error that is forwarded again keeps its original name and module.
        original = cls.__mro__[1]
        name, module = original.__name__, original.__module__
    data = {
        "class": name,
        "module": module,
        "message": _text(error),
        "tb": _traceback(error) if with_traceback else [],
        "args": list(error.args),
        "kwargs": getattr(error, "kwargs", {}),
    }
    try:
        return json.dumps(data, default=_primitive, allow_nan=False)
    except Exception:  # the methods of the arguments may raise anything
        return json.dumps({**data, "args": [data["message"]], "kwargs": {}})


def _text(error: BaseException) -> str:
    try:
        return str(getattr(error, "message", None) or error)
    except Exception:  # an error whose __str__ fails must still reach the caller
        return f"an error of class {type(error).__name__} that has no text"


def _traceback(error: BaseException) -> list[str]:
    try:
        return traceback.format_exception(type(error), error, error.__traceback__)
    except Exception:  # for the same reason
        return []


def from_json(text: object, allowed_modules: Collection[str]) -> Exception:
    """Return the exception that ``text`` describes; never raises.

    :param text: result of :func:`to_json`, possibly of another release, or damaged
    :param allowed_modules: modules whose Exception classes may be rebuilt
    """
    try:
        data = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        return exceptions.RemoteError(f"An unreadable error: {text!r:.200}", value=f"{text!r:.200}")
    name, module = str(data.get("class")), str(data.get("module"))
    message = str(data.get("message"))
    if module in allowed_modules:
        cls = _remote_class(module, name)
        if cls is not None:
            with contextlib.suppress(Exception):  # a constructor may raise anything, for arguments from another cell
                return cls(*data.get("args", []), **data.get("kwargs", {}))
    lines = data.get("tb")
    return exceptions.RemoteError(
        f"{name}: {message}",
        exc_type=name,
        value=message,
        traceback=[str(line) for line in lines] if isinstance(lines, list) else [],
    )


@functools.lru_cache(maxsize=512)
def _remote_class(module: str, name: str) -> type[Exception] | None:
    """Return the remote class for ``module.name``, or None if there is no such exception here."""
    try:
        original = getattr(importlib.import_module(module), name, None)
    except Exception:  # a module may raise anything at import
        return None
    # Only classes that the module defines are allowed, not those that it imports.
    if not isinstance(original, type) or not issubclass(original, Exception) or original.__module__ != module:
        return None
    # oslo.messaging, which sends the error to the client, recognizes the suffix in both names.
    return type(name + REMOTE_SUFFIX, (original,), {"__module__": module + REMOTE_SUFFIX})


def lacks_method(error: BaseException | None, method: str) -> bool:
    """Return whether another cell has answered that it has no ``method``.

    A cell of this project answers with UnknownMethod; a cell of Nova with AttributeError, which is rebuilt if
    [cells] allowed_rpc_exception_modules has ``builtins``.
    """
    if isinstance(error, exceptions.RemoteError):
        name: str | None = error.exc_type
    else:
        name = type(error).__name__.removesuffix(REMOTE_SUFFIX)
    return name == "UnknownMethod" or (
        name == "AttributeError" and (method in str(error) or method in str(getattr(error, "value", "")))
    )


def copy(error: Exception, cls: type[Exception] | None = None) -> Exception:
    """Return a copy of ``error``, as an instance of ``cls``, that no constructor of a library has seen; never raises.

    A constructor may take other arguments than ``error.args``, or change its text again.

    :param cls: a class of the same layout; by default the class of ``error``
    :returns: ``error`` itself if its class cannot be copied in this way
    """
    cls = type(error) if cls is None else cls
    # Built-in classes keep values outside of vars(): the text of a UnicodeError, the number of an OSError.
    builtin: Any = next(base for base in cls.__mro__ if base.__module__ == "builtins")
    try:
        arguments = builtin.__reduce__(error)[1]
        copied: Exception = builtin.__new__(cls, *arguments)
        builtin.__init__(copied, *arguments)
    except Exception:  # a class with two built-in bases, for example, or with args that its base does not take
        return error
    copied.args = error.args
    vars(copied).update(vars(error))
    return copied


def _primitive(value: Any) -> Any:
    return jsonutils.to_primitive(value, fallback=repr)
