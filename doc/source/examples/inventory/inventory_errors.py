"""Errors of the inventory; installed with the server and with its clients."""


class NotEnough(Exception):
    """Raised when a request exceeds the stock."""

    def __init__(self, message: str, kind: str = "", there_are: int = 0) -> None:
        super().__init__(message)
        # oslo.messaging sends args and kwargs, and rebuilds the error from them at the caller.
        self.kwargs = {"kind": kind, "there_are": there_are}
        self.kind = kind
        self.there_are = there_are
