"""The site of the documentation: complete, and built without a warning."""

import importlib.util
import pathlib
import re
import subprocess
import sys

import pytest
from processes import ROOT

import dann_jax

REFERENCE = ROOT / "docs" / "reference"


def test_every_public_name_stands_on_one_page_of_the_reference() -> None:
    shown = [
        name
        for page in REFERENCE.glob("*.md")
        for name in re.findall(r"^::: dann_jax\.(\w+)$", page.read_text(), re.MULTILINE)
    ]
    assert sorted(shown) == sorted(dann_jax.__all__)


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: pathlib.Path) -> None:
    for package in ("mkdocs", "mkdocstrings", "mkdocs_jupyter"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}: pip install '.[docs]'")
    # Broken links, anchors and references are warnings, and --strict refuses them.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    built = subprocess.run(
        [*command, "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    home = (tmp_path / "site" / "index.html").read_text()
    assert 'href="guide/"' in home and "hide a <em>nuisance domain</em>" in home
