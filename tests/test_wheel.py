"""The wheel has all that its commands need, where there is no checkout."""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest
from processes import ROOT

SMALL = (
    *("seeds=1", "timetable.epochs=2", "timetable.gradients_every=0"),
    *("analysis.rows=0", "encoder.width=8", "encoder.context=False"),
)
FIND_AND_SPEAK = """
import sys
import dann_jax
from dann_jax.cli.config import find_config
print(dann_jax.__file__, *map(find_config, sys.argv[2:]), sep="\\n")
import numpy, soundfile
from dann_jax.data.synthetic.speakers import make_speaker
from dann_jax.data.synthetic.voices import SAMPLE_RATE, synthesise, write_voices
samples = synthesise(make_speaker(1), "anger", numpy.random.default_rng(0))
soundfile.write(sys.argv[1], samples, SAMPLE_RATE)
# The default's recordings, where it looks for them first; it would write 324.
from dann_jax.data.embedded import voices_folder
write_voices(voices_folder() / "recordings", speakers=3, utterances=8)
"""


def run(folder: pathlib.Path, *words: object) -> str:
    """What a command prints in a folder, without a word of the checkout."""
    environment = {**os.environ, "PYTHONPATH": "", "XDG_CACHE_HOME": f"{folder}/cache"}
    ended = subprocess.run(
        [*map(str, words)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Built from a copy: what building leaves behind is not wanted in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("dann_jax", "configs"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    # Without a network: by the setuptools that is here.
    options = ("--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    run(folder, sys.executable, "-m", "pip", "wheel", *options, "-w", "dist", ".")
    (path,) = (folder / "dist").glob("dann_jax-*.whl")
    return path


@pytest.mark.slow
def test_it_holds_every_file_of_the_package_and_every_config(
    wheel: pathlib.Path,
) -> None:
    def files(folder: pathlib.Path) -> set[str]:
        found = (path.relative_to(folder) for path in folder.rglob("*.*"))
        return {str(path) for path in found if "__pycache__" not in path.parts}

    expected = {f"dann_jax/{name}" for name in files(ROOT / "dann_jax")}
    expected |= {f"dann_jax/configs/{name}" for name in files(ROOT / "configs")}
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name for name in names if ".dist-info/" not in name} == expected


@pytest.mark.slow
def test_its_commands_train_report_and_predict_away_from_the_checkout(
    wheel: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    run(tmp_path, sys.executable, "-m", "venv", "--without-pip", "venv")
    scripts, python = tmp_path / "venv" / "bin", tmp_path / "venv" / "bin" / "python"
    # The dependencies that are here; a line of a .pth file reads no other .pth file, so
    # that the checkout, if it is installed, stays out.
    libraries = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    for folder in libraries:
        (folder / "first.pth").write_text(sysconfig.get_path("purelib"))
    pip = (sys.executable, "-m", "pip", "--python", python)
    run(tmp_path, *pip, "install", "--quiet", "--no-deps", wheel)
    sound = tmp_path / "one.wav"
    names = sorted(path.stem for path in (ROOT / "configs").glob("*.py"))
    for path in run(tmp_path, python, "-c", FIND_AND_SPEAK, sound, *names).splitlines():
        assert path.startswith(str(tmp_path))

    changes = [f"--config.{change}" for change in SMALL]
    said = run(tmp_path, scripts / "dann-train", "--workdir=run", *changes)
    assert "| dann " in said and (tmp_path / "run" / "report.html").exists()
    run(tmp_path, scripts / "dann-report", "--workdir=run")
    assert list((tmp_path / "run" / "figures").iterdir())
    said = run(tmp_path, scripts / "dann-predict", "--model=run", sound)
    header, row = said.splitlines()
    assert header.startswith("file,") and row.startswith(str(sound))
