"""Arguments of the client of the manager, checked before they are sent.

Otherwise the library would raise an error of its own for a value that has no JSON form, and the manager would drop the
cast of a value that only Python writes as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cells.context import RequestContext
from cells.services.validation import want_json_object

Context = RequestContext | Mapping[str, Any]
Arguments = Mapping[str, Any] | None


def request(method: str, kwargs: Arguments, **options: Any) -> dict[str, Any]:
    """Return the arguments of an operation of the manager that calls ``method`` in other cells.

    :raises cells.exceptions.InvalidArguments: ``kwargs`` has no JSON form
    """
    return {
        "method_name": method,
        "method_kwargs": want_json_object(kwargs or {}, f"The arguments of {method!r:.80}"),
        **options,
    }


def context_values(ctxt: Context) -> dict[str, Any]:
    """Return the JSON values of a request context.

    :raises cells.exceptions.InvalidArguments: ``ctxt`` has no JSON form
    """
    if isinstance(ctxt, RequestContext):
        return ctxt.to_dict()
    return want_json_object(ctxt, "The request context")
