"""Futures that depend on other futures: an answer is converted without a thread that waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import TypeVar

T = TypeVar("T")
Source = TypeVar("Source")
Key = TypeVar("Key")


def completed(value: T) -> futures.Future[T]:
    """Return a future that is done."""
    done: futures.Future[T] = futures.Future()
    done.set_result(value)
    return done


def then(
    source: futures.Future[Source], convert: Callable[[Source], T], into: futures.Future[T] | None = None
) -> futures.Future[T]:
    """Return a future of ``convert(result of source)``; an error of ``source`` is passed on.

    :param convert: called on the thread that completes ``source``; must not block
    :param into: the future to complete, instead of a new one
    """
    converted: futures.Future[T] = futures.Future() if into is None else into

    def finish(done: futures.Future[Source]) -> None:
        try:
            converted.set_result(convert(done.result()))
        except BaseException as error:  # of the far endpoint, or a bug of convert
            converted.set_exception(error)

    source.add_done_callback(finish)
    return converted


def gather(
    sources: Mapping[Key, futures.Future[Source]], convert: Callable[[Mapping[Key, Source]], T]
) -> futures.Future[T]:
    """Return a future of ``convert(results of all sources)``; it is done when the last source is done."""
    gathered: futures.Future[Mapping[Key, Source]] = futures.Future()
    lock = threading.Lock()
    missing = len(sources)

    def finish(_: futures.Future[Source]) -> None:
        nonlocal missing
        with lock:
            missing -= 1
            is_last = missing == 0
        if is_last:
            try:
                gathered.set_result({key: source.result() for key, source in sources.items()})
            except BaseException as error:  # of a source
                gathered.set_exception(error)

    if not sources:
        gathered.set_result({})
    for source in sources.values():
        source.add_done_callback(finish)
    return then(gathered, convert)
