"""Exceptions of epcore. Each is also a built-in exception, so that code without epcore's names can catch it."""


class EpcoreError(Exception):
    """Base of every error that epcore raises on purpose."""


class InvalidInputError(EpcoreError, ValueError):
    """The input is not what the API allows.

    ``path`` names the place in the input (``slices[3].endpoints[0].addresses[0]``); ``offset`` is the position in
    bytes for input that was bytes, else ``None``.
    """

    def __init__(self, message: str, path: str = "", offset: int | None = None) -> None:
        super().__init__(message, path, offset)
        self.message = message
        self.path = path
        self.offset = offset

    def __str__(self) -> str:
        place = self.path or "input"
        at = "" if self.offset is None else f" (byte {self.offset})"
        return f"{place}{at}: {self.message}"


class LimitError(EpcoreError, ValueError):
    """A limit of the API, or one that the caller set, is passed.

    ``limit`` and ``actual`` are in the unit that the message names; ``path`` and ``offset`` are as in
    :class:`InvalidInputError`.
    """

    def __init__(self, message: str, limit: int, actual: int, path: str = "", offset: int | None = None) -> None:
        super().__init__(message, limit, actual, path, offset)
        self.message = message
        self.limit = limit
        self.actual = actual
        self.path = path
        self.offset = offset

    def __str__(self) -> str:
        place = self.path or "input"
        at = "" if self.offset is None else f" (byte {self.offset})"
        return f"{place}{at}: {self.message} (limit {self.limit}, actual {self.actual})"
