"""Versions of the packages that results depend on."""

import importlib.metadata

_PACKAGES = (
    "dann_jax",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "numpy",
    "scikit-learn",
)


def package_versions() -> dict[str, str]:
    """Name -> version of the packages that a result may depend on."""
    return {name: version_of(name) for name in _PACKAGES}


def version_of(package: str) -> str:
    """The version of a package, in words where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
