"""How annotations are checked in tests; `conftest.py` has it done to some packages."""

from collections.abc import Callable

from beartype import BeartypeConf, beartype

# A whole number may be given where a float is asked for.
_check = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checked(function: Callable) -> Callable:
    """The function, checking what it is given and what it returns."""
    # Flax turns lists, as JSON has them, into tuples after a module was made with them.
    return function if function.__name__ == "__init__" else _check(function)
