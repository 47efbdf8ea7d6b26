"""The extractors that need an extra package: openSMILE, sentence-transformers."""

import json
import pathlib
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest
from pretrained_models import FIXTURES

from dann_jax.data.features import egemaps as egemaps_module
from dann_jax.data.features import sentence as sentence_module
from dann_jax.data.features.catalogue import EXTRACTORS, extractor_from, make_extractor
from dann_jax.data.features.sentence import from_encoder, sentence

RATE = 16000
OPENSMILE = "needs pip install 'dann_jax[egemaps]'"


def voice(hertz: float = 220) -> np.ndarray:
    time = np.arange(2 * RATE) / RATE
    stack = [np.sin(2 * np.pi * n * hertz * time + n) / n for n in range(1, 15)]
    return (0.1 * np.sum(stack, axis=0)).astype(np.float32)


@pytest.fixture
def fresh_smile():
    egemaps_module._smile.cache_clear()
    yield
    egemaps_module._smile.cache_clear()


ALONE = """
import json, logging, sys
import numpy as np
from dann_jax.data.features.catalogue import EXTRACTORS, extractor_from, make_extractor

messages = []
handler = logging.Handler()
handler.emit = lambda record: messages.append(record.getMessage())
logging.getLogger("dann_jax").addHandler(handler)
samples = np.load(sys.argv[1])
values = [make_extractor("egemaps").compute(samples) for _ in range(2)][0]
extractor = make_extractor("egemaps")
try:
    extractor.compute(samples[:160])
except ValueError as error:
    refused = str(error)
names, dim, kind = list(extractor.names), extractor.dim, str(values.dtype)
print(json.dumps([values.tolist(), kind, dim, names, messages, refused]))
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list:
    """What openSMILE says in a process of its own.

    Its library aborts where some other ones, such as PyTorch's, have been loaded.
    """
    pytest.importorskip("opensmile", reason=OPENSMILE)
    path = tmp_path_factory.mktemp("voice") / "voice.npy"
    np.save(path, voice())
    command = [sys.executable, "-c", ALONE, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_egemaps_has_88_named_values_of_which_the_first_is_the_pitch(alone) -> None:
    values, kind, dim, names, *_ = alone
    assert len(values) == len(names) == dim == 88
    assert kind == "float32"
    assert names[0] == "F0semitoneFrom27.5Hz_sma3nz_amean"
    assert values[0] == pytest.approx(36, abs=0.1)


def test_the_licence_of_opensmile_is_logged_once(alone) -> None:
    assert alone[4] == [egemaps_module.LICENCE]
    assert "non-commercial" in egemaps_module.LICENCE


def test_what_is_too_short_for_opensmile_is_refused(alone) -> None:
    assert "cannot describe 0.010 s of sound" in alone[5]


@pytest.mark.usefixtures("fresh_smile")
def test_without_opensmile_the_error_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(ValueError, match=r"pip install 'dann_jax\[egemaps\]'"):
        make_extractor("egemaps")
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'dann_jax\[egemaps\]'"):
        egemaps_module.egemaps()


class FakeModel:
    """As much of a `SentenceTransformer` as the extractor touches."""

    def __init__(self, folder: str, device: str) -> None:
        self.folder = folder

    def encode(self, text: str, show_progress_bar: bool) -> np.ndarray:
        return np.array([len(text), 3.0, 0.0, 0.0])


def write_model(folder: pathlib.Path, *, dense: int | None = None) -> pathlib.Path:
    """The notes of a model: a transformer of width 8, pooling, maybe a dense layer."""
    notes = {"": {"hidden_size": 8}, "1_Pooling": {"word_embedding_dimension": 8}}
    if dense:
        notes["2_Dense"] = {"in_features": 8, "out_features": dense}
    notes["3_Normalize"] = {}
    for name, about in notes.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        if about:
            (folder / name / "config.json").write_text(json.dumps(about))
    modules = [{"idx": n, "path": name} for n, name in enumerate(notes)]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_the_size_is_that_of_the_last_module(tmp_path: pathlib.Path) -> None:
    assert sentence(model=str(write_model(tmp_path / "a"))).dim == 8
    assert sentence(model=str(write_model(tmp_path / "b", dense=4))).dim == 4


def test_the_provenance_is_of_the_model_not_of_its_place(
    tmp_path: pathlib.Path,
) -> None:
    one = write_model(tmp_path / "here" / "mini")
    other = write_model(tmp_path / "there" / "mini")
    about = sentence(model=str(one)).provenance()
    assert sentence(model=str(other)).provenance() == about
    assert str(tmp_path) not in json.dumps(about)
    (other / "README.md").write_text("Notes to people.")
    assert sentence(model=str(other)).provenance() == about
    (other / "model.safetensors").write_bytes(b"other weights")
    assert sentence(model=str(other)).provenance()["hash"] != about["hash"]


@pytest.mark.parametrize("name", EXTRACTORS)
def test_every_extractor_is_made_again_from_its_provenance(
    name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "egemaps":
        pytest.importorskip("opensmile", reason=OPENSMILE)
    # Folders of models are looked for from here.
    monkeypatch.chdir(write_model(tmp_path / "mini").parent)
    shutil.copytree(FIXTURES / "whisper", tmp_path / "whisper")
    models = {"sentence": "mini", "pretrained": "whisper"}
    parameters = {"model": str(tmp_path / models[name])} if name in models else {}
    made = json.loads(json.dumps(make_extractor(name, **parameters).provenance()))
    assert extractor_from(made).provenance() == made


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extractor": "magic"}, "there is no extractor 'magic'"),
        ({"parameters": None}, "names no extractor"),
        ({"parameters": [1]}, "names no extractor"),
        ({"extractor": ["logmel"]}, "names no extractor"),
        ({"parameters": {"n_moles": 3}}, "no parameter n_moles"),
    ],
)
def test_a_provenance_of_nothing_is_refused(change: dict, message: str) -> None:
    made = make_extractor("logmel").provenance() | change
    with pytest.raises(ValueError, match=message):
        extractor_from(made)


def test_another_feature_set_and_another_model_are_refused(
    tmp_path: pathlib.Path,
) -> None:
    with pytest.raises(ValueError, match="computes the feature set eGeMAPSv02"):
        make_extractor("egemaps", feature_set="ComParE_2016")
    folder = str(write_model(tmp_path / "mini"))
    with pytest.raises(ValueError, match="another model: its digest is"):
        make_extractor("sentence", model=folder, digest="0" * 16)


def test_a_transcript_becomes_a_vector_of_length_one(
    tmp_path: pathlib.Path, monkeypatch
) -> None:
    fake = types.SimpleNamespace(SentenceTransformer=FakeModel)
    monkeypatch.setitem(sys.modules, "sentence_transformers", fake)
    sentence_module._load.cache_clear()
    folder = str(write_model(tmp_path / "mini", dense=4))
    made = make_extractor("sentence", model=folder)
    assert made.sample_rate is None and not made.framewise
    np.testing.assert_allclose(made.compute(" four\n"), [0.8, 0.6, 0, 0], rtol=1e-6)
    plain = sentence(model=folder, normalise=False)
    np.testing.assert_array_equal(plain.compute("four"), [4, 3, 0, 0])
    sentence_module._load.cache_clear()


def test_without_the_package_the_error_says_what_to_install(
    tmp_path: pathlib.Path, monkeypatch
) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    sentence_module._load.cache_clear()
    made = sentence(model=str(write_model(tmp_path / "mini")))
    with pytest.raises(ModuleNotFoundError, match=r"'dann_jax\[sentence\]'"):
        made.compute("Hello.")


def test_a_folder_without_a_model_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="it has no modules.json"):
        sentence(model=str(tmp_path))


@pytest.mark.parametrize(
    ("text", "values", "reason"),
    [
        (" ", [1, 2], "the transcript is empty"),
        ("a", [1, 2, 3], r"shape \(3,\)"),
        ("a", [1, np.nan], "finite: False"),
    ],
)
def test_what_makes_no_embedding_is_refused(text, values, reason: str) -> None:
    made = from_encoder(lambda _: values, dim=2, parameters={})
    with pytest.raises(ValueError, match=reason):
        made.compute(text)
