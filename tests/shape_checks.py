"""How annotations are checked in tests; `conftest.py` has it done to some packages."""

from collections.abc import Callable

from beartype import BeartypeConf, beartype

# A whole number may be given where a float is asked for.
_check = beartype(conf=BeartypeConf(is_pep484_tower=True))
_made: dict = {}
"""What is checked already, by all that tells two functions apart."""


def checked(function: Callable) -> Callable:
    """The function, checking what it is given and what it returns."""
    # Flax turns lists, as JSON has them, into tuples after a module was made with them.
    if function.__name__ == "__init__":
        return function
    key = _key(function)
    if key is None:
        return _check(function)
    if key not in _made:
        _made[key] = _check(function)
    return _made[key]


def _key(function: Callable) -> tuple | None:
    """Equal for functions that do the same; None where that cannot be told.

    What a function defines is made anew whenever it is called, as is what jaxtyping
    checks it by: objectives and layers are made thousands of times, of a few forms.
    """
    if function.__closure__ or function.__defaults__ or function.__kwdefaults__:
        return None
    key = (
        *(function.__code__, function.__module__, function.__qualname__),
        tuple(function.__annotations__.items()),
    )
    try:
        hash(key)
    except TypeError:
        return None
    return key
