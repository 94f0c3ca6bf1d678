"""What the documents state, and the checks that compute it from committed data.

A passage of a document that states a result ends in a comment `<!-- check: NAME -->`; the check of
that name yields what its numbers have to be, in their order, and asserts what has no number.
"""

from collections.abc import Callable, Iterable

Check = Callable[[], Iterable[str]]
CHECKS: dict[str, Check] = {}


def check(name: str) -> Callable[[Check], Check]:
    """Register the decorated function as the check `name`."""

    def register(made: Check) -> Check:
        assert name not in CHECKS, f"two checks are called {name}"
        CHECKS[name] = made
        return made

    return register
