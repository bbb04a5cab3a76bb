"""Random tests in several parts, each with examples of its own."""

from collections.abc import Callable
from typing import TypeVar

from hypothesis import seed, settings

Test = TypeVar("Test", bound=Callable[..., None])


def examples_of(part: int) -> Callable[[Test], Test]:
    """Give a part its own examples, also where each run has the same: those follow from the test's text alone."""

    def chosen(test: Test) -> Test:
        return seed(part)(test) if settings().derandomize else test

    return chosen
