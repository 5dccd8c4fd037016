"""Registry of the endpoints of this manager, found through the entry points ``cells.endpoints``."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stevedore import extension

from cells import exceptions
from cells.endpoints.base import EVERY_CALLER, Call, EndpointMark, mark_of

NAMESPACE = "cells.endpoints"
#: Bound of the cache of argument names that fit one endpoint; callers use few combinations.
MAX_KNOWN = 64


@dataclass
class _Endpoint:
    function: Callable[..., Any]
    mark: EndpointMark
    signature: inspect.Signature
    _fitting: set[frozenset[str]] = field(default_factory=set)

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Check the names of the arguments against the signature.

        :raises TypeError: the names do not fit
        """
        names = frozenset(arguments)
        if names not in self._fitting:
            self.signature.bind(None, **arguments)
            if len(self._fitting) < MAX_KNOWN:
                self._fitting.add(names)


class Endpoints:
    """The methods that messages may call.  Messages can call no other function."""

    def __init__(self, functions: Iterable[Callable[..., Any]] = ()) -> None:
        self._endpoints: dict[str, _Endpoint] = {}
        for function in functions:
            self.add(function)

    @classmethod
    def load(cls) -> Endpoints:
        """Return all endpoints of the installed packages.

        :raises cells.exceptions.PluginError: an entry point does not load, or two
            functions have the same name
        """
        endpoints = cls()
        manager: extension.ExtensionManager[Any] = extension.ExtensionManager(
            NAMESPACE, on_load_failure_callback=_refuse
        )
        for loaded in sorted(manager, key=lambda found: found.name):
            found = _functions(loaded.plugin)
            if not found:
                raise exceptions.PluginError(
                    f"The entry point {loaded.name} of {NAMESPACE} names {loaded.entry_point_target}, "
                    "in which no function is decorated with @endpoint."
                )
            for function in found:
                endpoints.add(function)
        return endpoints

    def add(self, function: Callable[..., Any]) -> None:
        """Add one decorated function.

        :raises cells.exceptions.PluginError: ``function`` is not decorated, or its name is taken
        """
        mark = mark_of(function)
        if mark is None:
            raise exceptions.PluginError(f"{function!r} is not decorated with @endpoint.")
        known = self._endpoints.get(mark.name)
        if known is not None and known.function is not function:
            raise exceptions.PluginError(
                f"Two endpoints are called {mark.name!r}: {_where(known.function)} and {_where(function)}. "
                "Rename one of them or remove its package."
            )
        self._endpoints[mark.name] = _Endpoint(function, mark, inspect.signature(function))

    def names(self) -> list[str]:
        return sorted(self._endpoints)

    def may_block(self, method: str) -> bool:
        """Return whether the endpoint has to run on its own thread."""
        found = self._endpoints.get(method)
        return found is not None and found.mark.blocks

    def callers(self, method: str) -> frozenset[str]:
        """Return the callers of the endpoint; everybody may call a method that does not exist, and gets an error."""
        found = self._endpoints.get(method)
        return frozenset(EVERY_CALLER) if found is None else found.mark.callers

    def invoke(self, call: Call) -> Any:
        """Run the endpoint ``call.method``; return its result or raise its exception.

        :raises cells.exceptions.UnknownMethod: no endpoint of this name accepts this type of message
        :raises cells.exceptions.InvalidArguments: the arguments do not fit
        """
        found = self._endpoints.get(call.method)
        if found is None or call.message_type not in found.mark.accepts:
            raise exceptions.UnknownMethod(
                f"The cell {call.cell.name} has no endpoint {call.method!r:.80} for {call.message_type} messages: "
                "check the name, and that the package of the endpoint is installed there.",
                cell=call.cell.name,
                method=call.method,
            )
        try:
            found.check(call.arguments)
        except TypeError as error:
            raise exceptions.InvalidArguments(
                f"The arguments do not fit {call.method}{_shown(found.signature)}: {error}.",
                cell=call.cell.name,
                method=call.method,
            ) from error
        return found.function(call, **call.arguments)


def _functions(plugin: Any) -> list[Callable[..., Any]]:
    if isinstance(plugin, types.ModuleType):
        return [found for found in vars(plugin).values() if mark_of(found) is not None]
    return [plugin] if mark_of(plugin) is not None else []


def _where(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{getattr(function, '__qualname__', function)}"


def _shown(signature: inspect.Signature) -> str:
    """Return the signature as a caller sees it: names and defaults, without the :class:`Call`.

    Annotations are left out: most are text here, and cells checks none of them.
    """
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty) for parameter in list(signature.parameters.values())[1:]
    ]
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))


def _refuse(_manager: object, entry_point: Any, error: BaseException) -> None:
    raise exceptions.PluginError(
        f"The entry point {entry_point.name} = {entry_point.value} of {NAMESPACE} cannot be loaded: {error}. "
        "Repair or remove its package."
    ) from error
