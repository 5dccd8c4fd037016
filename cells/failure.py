"""JSON form of an exception that travels from one cell to another.

The text is ``{"class", "module", "message", "tb", "args", "kwargs"}``.  The receiving cell
rebuilds the exception only if the list of allowed modules contains its module, as an instance of
a class ``<class>_Remote`` that derives from the original class.  All other exceptions become
:class:`cells.exceptions.RemoteError`.

The traceback stays in its cell, because it contains paths and source lines: ``tb`` is empty unless the operator has
allowed tracebacks.  The key ``log_id`` names the record in the log of that cell that contains the traceback.  Releases
that do not know the key ignore it.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import importlib
import json
import logging
import re
import traceback
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, TypeVar

from oslo_serialization import jsonutils

from cells import exceptions, printable

T = TypeVar("T")

REMOTE_SUFFIX = "_Remote"
#: Bounds of the parts of the text, in characters.
MAX_NAME, MAX_MESSAGE, MAX_ARGUMENTS, MAX_TRACEBACK = 200, 20_000, 100_000, 50_000
#: The traceback has the frames of at most this many exceptions of a chain of causes.
MAX_CAUSES = 10
#: Also with the line break as the text of a KeyError shows it.
_FRAMES = re.compile(r"(?:\n|\\n)Traceback \(most recent call last\):.*", re.DOTALL)
#: Classes of arguments that oslo.serialization makes JSON of; the walk through any other object may have no end.
_CONVERTED = (bytes, set, frozenset, datetime.date, datetime.time, uuid.UUID)


def to_json(error: BaseException, *, with_traceback: bool = False, log_id: str = "") -> str:
    """Return the JSON text of ``error``; never raises, whatever the methods of ``error`` do.

    Values without a JSON form are replaced by their ``repr``, and the text is bounded in length.

    :param log_id: names the record of the traceback in the log of this cell
    """
    keep = str if with_traceback else _without_frames
    message = keep(text_of(error))
    arguments = _safely(lambda: [_encoded(keep(value) if type(value) is str else value) for value in error.args], None)
    if arguments is None or sum(map(len, arguments)) > MAX_ARGUMENTS:
        arguments = [json.dumps(message)]
    kwargs = _safely(lambda: _encoded_details(error), "{}")
    name, module = _safely(lambda: _origin(type(error)), ("Exception", "builtins"))
    data: dict[str, Any] = {"class": name, "module": module, "message": message}
    data["tb"] = traceback_of(error) if with_traceback else []
    if log_id:
        data["log_id"] = log_id
    return f'{json.dumps(data)[:-1]}, "args": [{", ".join(arguments)}], "kwargs": {kwargs}}}'


def text_of(error: BaseException) -> str:
    """Return the text of ``error``, bounded and without logins of URLs; never raises."""
    text = _safely(lambda: _exact(getattr(error, "message", None) or error, MAX_MESSAGE), None)
    if text is None:
        return f"an error of class {name_of(error)} that has no text"
    return printable.without_logins(text)


def name_of(error: BaseException) -> str:
    """Return the name of the class of ``error``; never raises."""
    return _safely(lambda: _exact(type(error).__name__, MAX_NAME).removesuffix(REMOTE_SUFFIX), "Exception")


def without_traceback(text: str, log_id: str) -> tuple[str, list[str]]:
    """Return the JSON text of an error, of cells or of oslo.messaging, without its traceback; and the traceback.

    :param log_id: names the log record that the caller writes; part of the text if there is a traceback
    """
    data = _safely(lambda: json.loads(text), None)
    if not isinstance(data, dict) or not isinstance(data.get("tb"), list) or not data["tb"]:
        return text, []
    lines = [_told(line) for line in data["tb"]]
    if isinstance(data.get("args"), list):
        data["args"] = [_without_frames(value) if isinstance(value, str) else value for value in data["args"]]
    return json.dumps(
        {**data, "message": _without_frames(_told(data.get("message"))), "tb": [], "log_id": log_id}
    ), lines


def log_id_of(text: object) -> str:
    """Return the log id in the JSON text of an error; empty if it has none."""
    data = _safely(lambda: json.loads(text), None) if isinstance(text, str) else None
    log_id = data.get("log_id") if isinstance(data, dict) else None
    return log_id[:MAX_NAME] if isinstance(log_id, str) else ""


def _without_frames(text: str) -> str:
    """Return ``text`` without the traceback that oslo.messaging appends to the text of an error that it rebuilds."""
    return _FRAMES.sub("", text)


def causes(error: BaseException, limit: int = MAX_CAUSES, *, with_suppressed: bool = False) -> Iterator[BaseException]:
    """Yield ``error``, its cause, the cause of the cause and so on, each once, and ``limit`` at most.

    :param with_suppressed: also those that ``raise ... from None`` hides from tracebacks
    """
    seen: BaseException | None = error
    ids: set[int] = set()
    # A chain may be a circle.
    while seen is not None and id(seen) not in ids and len(ids) < limit:
        ids.add(id(seen))
        yield seen
        seen = seen.__cause__ or (seen.__context__ if with_suppressed or not seen.__suppress_context__ else None)


def _safely(make: Callable[[], T], default: T) -> T:
    """Return the result of ``make``, or ``default``: the methods of an exception may raise any class."""
    try:
        return make()
    except BaseException:  # SystemExit of such a method must not end the thread
        return default


def _exact(value: object, max_length: int) -> str:
    """Return the text of ``value``, bounded, as an instance of str itself, whose methods are known."""
    text = str(value)
    shown = str.__getitem__(text, slice(max_length))
    return shown if str.__len__(text) <= max_length else f"{shown}..."


def _origin(cls: type) -> tuple[str, str]:
    name, module = cls.__name__, cls.__module__
    if name.endswith(REMOTE_SUFFIX):
        # An error that is forwarded again keeps its original name and module.
        original = cls.__mro__[1]
        name, module = original.__name__, original.__module__
    return _exact(name, MAX_NAME), _exact(module, MAX_NAME)


def _encoded(value: object) -> str:
    """Return ``value`` as JSON text; its ``repr`` as JSON text if it has no other JSON form, or is too long."""
    text = _safely(lambda: json.dumps(value, default=_primitive, allow_nan=False), None)
    if text is None or len(text) > MAX_ARGUMENTS:
        text = json.dumps(_repr(value))
    return printable.without_logins(text)


def _encoded_details(error: BaseException) -> str:
    details = getattr(error, "kwargs", None)
    if not isinstance(details, dict):
        return "{}"
    items = ", ".join(f"{json.dumps(_exact(name, MAX_NAME))}: {_encoded(value)}" for name, value in details.items())
    return f"{{{items}}}" if len(items) <= MAX_ARGUMENTS else "{}"


def _primitive(value: Any) -> Any:
    return jsonutils.to_primitive(value, fallback=_repr) if isinstance(value, _CONVERTED) else _repr(value)


def _repr(value: object) -> str:
    shown = _safely(lambda: _exact(repr(value), MAX_MESSAGE), None)
    return _safely(lambda: f"a value of class {type(value).__name__}", "a value") if shown is None else shown


def traceback_of(error: BaseException) -> list[str]:
    """Return the lines of the tracebacks of ``error`` and its causes, the oldest first; bounded; never raises."""
    return _safely(lambda: _traceback(error), [])


def log_lines(log: logging.Logger, log_id: str, lines: Iterable[str]) -> None:
    """Log the lines of a traceback, each as one record at INFO with the log id, to be found by it."""
    for line in "".join(lines).splitlines():
        log.info("Log id %s: %s", log_id, line)


def _traceback(error: BaseException) -> list[str]:
    lines: list[str] = []
    for cause in reversed(list(causes(error))):
        lines += traceback.format_exception(type(cause), cause, cause.__traceback__, limit=-100, chain=False)
    # The last lines say most.
    kept: list[str] = []
    characters = 0
    for line in reversed(lines):
        characters += len(line)
        if characters > MAX_TRACEBACK:
            break
        kept.append(line)
    return kept[::-1]


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
        unread = _repr(text)[:200]
        return exceptions.RemoteError(f"An unreadable error: {unread}", value=unread)
    name, module, message = (_told(data.get(key)) for key in ("class", "module", "message"))
    if module in allowed_modules:
        cls = _remote_class(module, name)
        if cls is not None:
            with contextlib.suppress(Exception):  # a constructor may raise anything, for arguments from another cell
                return cls(*data.get("args", []), **data.get("kwargs", {}))
    lines, log_id = data.get("tb"), data.get("log_id")
    where = f" (log id {log_id:.80})" if isinstance(log_id, str) and log_id else ""
    return exceptions.RemoteError(
        f"{name}: {message}{where}",
        exc_type=name,
        value=message,
        traceback=[_told(line) for line in lines] if isinstance(lines, list) else [],
    )


def _told(value: object) -> str:
    """Return the text that another cell has sent; a value that is no text should not be there."""
    return value if isinstance(value, str) else _repr(value)


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
