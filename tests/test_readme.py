"""What the README shows must run."""

import pathlib
import re

from dann_jax.experiment.checks import check_config

README = pathlib.Path(__file__).parents[1] / "README.md"


def test_every_python_example_of_the_readme_runs() -> None:
    examples = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert examples
    for example in examples:
        names = {"__name__": "readme"}
        exec(compile(example, str(README), "exec"), names)
        if "get_config" in names:
            check_config(names["get_config"]())


def test_every_file_that_the_readme_links_to_exists() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", README.read_text())
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []
