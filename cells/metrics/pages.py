"""The WSGI application of the listener: it finds the page of a path, and makes the page of the metrics."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

LOG = logging.getLogger(__name__)

TEXT = "text/plain; charset=utf-8"
#: Bound of the time that a request waits for the page of another request.
WAIT_SECONDS = 5.0


class Answer(NamedTuple):
    """The answer to a request."""

    status: HTTPStatus
    content_type: str
    body: bytes

    @classmethod
    def of_text(cls, status: HTTPStatus, text: str) -> Answer:
        return cls(status, TEXT, f"{text}\n".encode())


#: Makes the answer to a GET.  Gets the header Accept.
Page = Callable[[str], Answer]


class Pages:
    """The application.  Thread-safe."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        """:param pages: by path"""
        self._pages = dict(pages)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        answer = self._answer(method, environ.get("PATH_INFO", ""), environ.get("HTTP_ACCEPT", ""))
        status, content_type, body = answer
        headers = [
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", "GET, HEAD"))
        start_response(f"{status.value} {status.phrase}", headers)
        return [] if method == "HEAD" else [body]

    def _answer(self, method: str, path: str, accept: str) -> Answer:
        page = self._pages.get(path)
        if page is None:
            return Answer.of_text(HTTPStatus.NOT_FOUND, f"The pages are {', '.join(sorted(self._pages))}.")
        if method not in ("GET", "HEAD"):
            return Answer.of_text(HTTPStatus.METHOD_NOT_ALLOWED, "This page can be read only.")
        try:
            return page(accept)
        except Exception:  # a bug must not end in a page without an answer
            LOG.exception("The page %s could not be made.", path)
            return Answer.of_text(HTTPStatus.INTERNAL_SERVER_ERROR, "The log of the manager has the error.")


class MetricsPage:
    """The page of the metrics, one request at a time: a page of a thousand neighbors takes a core for a moment."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._turn = threading.Lock()

    def __call__(self, accept: str) -> Answer:
        encode, content_type = choose_encoder(accept)
        if not self._turn.acquire(timeout=WAIT_SECONDS):
            return Answer.of_text(HTTPStatus.SERVICE_UNAVAILABLE, "Other requests for this page take too long.")
        try:
            return Answer(HTTPStatus.OK, content_type, encode(self._registry))
        finally:
            self._turn.release()
