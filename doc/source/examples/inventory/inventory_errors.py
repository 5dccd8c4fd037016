"""What can go wrong with the inventory; installed where it is served and where it is called."""


class NotEnough(Exception):
    """Raised when more is asked for than there is."""

    def __init__(self, message: str, kind: str = "", there_are: int = 0) -> None:
        super().__init__(message)
        # oslo.messaging sends args and kwargs, and makes the error of them again at the caller's.
        self.kwargs = {"kind": kind, "there_are": there_are}
        self.kind = kind
        self.there_are = there_are
