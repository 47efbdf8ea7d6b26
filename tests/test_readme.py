"""What README and pages show must run, and where they point must be something."""

import pathlib
import re

import pytest

from dann_jax.experiment.checks import check_config

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


@pytest.mark.parametrize(
    "name",
    ["README.md", "docs/guide.md", "docs/estimator.md", "docs/extending.md"],
)
def test_every_python_example_runs(name: str) -> None:
    page = ROOT / name
    examples = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    assert examples
    for example in examples:
        names = {"__name__": "readme"}
        exec(compile(example, str(page), "exec"), names)
        if "get_config" in names:
            check_config(names["get_config"]())


def test_every_file_that_a_page_links_to_exists() -> None:
    links = [
        (page.name, link)
        for page in PAGES
        for link in re.findall(r"\]\((?!http|#)([^)#]+)", page.read_text())
        if not (page.parent / link).exists()
    ]
    assert links == []
