"""The notebooks of the documentation run, from a folder that holds nothing."""

import pathlib
import sys

import pytest
from processes import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(
    path: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ipykernel", reason="needs pip install '.[docs]'")
    nbclient = pytest.importorskip("nbclient", reason="needs pip install '.[docs]'")
    nbformat = pytest.importorskip("nbformat", reason="needs pip install '.[docs]'")
    scripts = str(pathlib.Path(sys.executable).parent)
    monkeypatch.setenv("PATH", scripts, prepend=":")
    notebook = nbformat.read(path, 4)
    folder = {"metadata": {"path": str(tmp_path)}}
    # A cell that fails, or whose command does, raises.
    nbclient.NotebookClient(notebook, timeout=600, resources=folder).execute()
