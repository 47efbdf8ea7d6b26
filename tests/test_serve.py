"""What a served model answers, and what it refuses: status, sentence, nothing kept."""

import asyncio
import functools
import io
import pathlib
import re
import threading
import time
from collections.abc import Iterator
from importlib import resources
from typing import Any

import numpy as np
import pytest
import soundfile
from bundles import LABELS, hearing_bundle, tone
from test_enrolment import write_enrolling
from test_media import write_media

from dann_jax.bundle import Bundle
from dann_jax.bundle.predictions import predict_clips
from dann_jax.bundle.recordings import Clip, cut_into_windows
from dann_jax.data.features.audio import AudioError, decoded_sound, sound_duration
from dann_jax.serving import answers
from dann_jax.serving.answers import Settings, about
from dann_jax.serving.origins import refusal, security_headers

pytest.importorskip("fastapi", reason="needs pip install 'dann_jax[serve]'")
httpx = pytest.importorskip("httpx", reason="needs pip install httpx")

from dann_jax.serving import app as serving  # noqa: E402

SETTINGS = Settings(window=0.5, hop=0.25, max_seconds=3.0)
LIMITS = serving.Limits(max_megabytes=0.2, max_wait=20.0)
HERE = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return hearing_bundle(tmp_path_factory.mktemp("bundles") / "bundle")


@pytest.fixture
def kept(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """The folder of the server, in which nothing may be left."""
    folder = tmp_path / "kept"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []


def client(
    bundle: Any, kept: pathlib.Path, limits: Any = LIMITS, **changes: Any
) -> Any:
    served = serving.make_app(bundle, SETTINGS._replace(**changes), limits, folder=kept)
    transport = httpx.ASGITransport(served, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=HERE)


def post(asked: Any, content: Any, name: str = "talk.wav", **options: Any) -> Any:
    async def once() -> Any:
        async with asked:
            where = f"/predict?name={name}"
            return await asked.post(where, content=content, **options)

    return asyncio.run(once())


def wave(seconds: float, number: int = 1, **options: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, tone(number, seconds, 16000), 16000, format="WAV", **options)
    return file.getvalue()


def test_it_answers_as_dann_predict_does(
    bundle: Bundle, kept: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    response = post(client(bundle, kept), wave(1.1))
    assert response.status_code == 200
    found = response.json()
    (tmp_path / "talk.wav").write_bytes(wave(1.1))
    whole = Clip(str(tmp_path / "talk.wav"), "talk.wav")
    clips = [whole, *cut_into_windows([whole], window=0.5, hop=0.25)]
    expected = list(predict_clips(bundle, clips, report=pytest.fail))
    rows = [found["whole"], *found["parts"]]
    assert [row["start"] for row in rows] == [0.0, 0.0, 0.25, 0.5, 0.6]
    for row, one in zip(rows, expected, strict=True):
        assert row["label"] == one.prediction.label
        assert row["probabilities"] == pytest.approx(
            one.prediction.probabilities, abs=1e-6
        )
        assert row["end"] - row["start"] == pytest.approx(one.duration, abs=1e-3)
    assert (found["file"], found["duration"]) == ("talk.wav", 1.1)
    assert (found["problems"], found["errors"]) == ([], [])


def test_a_recording_no_longer_than_a_window_has_no_parts(
    bundle: Bundle, kept: pathlib.Path
) -> None:
    found = post(client(bundle, kept), wave(0.5)).json()
    assert found["parts"] == [] and found["whole"]["end"] == 0.5


def test_silence_is_said_to_mean_nothing(bundle: Bundle, kept: pathlib.Path) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(16000), 16000, format="WAV")
    found = post(client(bundle, kept), file.getvalue()).json()
    assert found["problems"] == [answers.PROBLEMS["silent"]]
    assert all(row["problems"] == ["silent"] for row in found["parts"])


def test_what_is_not_sure_enough_is_unknown_and_that_is_said(
    bundle: Bundle, kept: pathlib.Path
) -> None:
    found = post(client(bundle, kept, reject=1.0), wave(0.5)).json()
    assert found["whole"]["label"] == "unknown"
    assert any("probability of 1, it answers unknown" in one for one in found["notes"])


def test_a_model_that_wants_clips_of_a_person_says_that_it_has_none(
    tmp_path: pathlib.Path, bundle: Bundle
) -> None:
    enrolling = write_enrolling(tmp_path / "enrolling")
    (note, *_) = about(enrolling, SETTINGS)["notes"]
    assert "nobody is enrolled" in note and "--enrol=CLIPS" in note
    known = enrolling.enrol([tone(1, 0.4, 16000)], 16000)
    (note, *_) = about(known, SETTINGS)["notes"]
    assert "one person whose clips --enrol named" in note
    (note,) = about(bundle, SETTINGS)["notes"]
    assert note.startswith("Its probabilities are not calibrated: ")


def test_a_model_of_values_answers_values(
    tmp_path: pathlib.Path, kept: pathlib.Path
) -> None:
    model = hearing_bundle(tmp_path / "bundle", answer="values")
    found = post(client(model, kept), wave(0.8)).json()
    for row in (found["whole"], *found["parts"]):
        assert {*row} == {"start", "end", "values", "problems"}
        assert [*row["values"]] == list(LABELS)
    assert found["notes"] == []


@pytest.mark.parametrize(
    ("content", "name", "status", "sentence"),
    [
        (b"no sound\n" * 99, "text.wav", 422, "text.wav: is not audio, or damaged"),
        (b"", "empty.wav", 422, "empty.wav: the file is empty (0 bytes)"),
        (b"no sound\n" * 99, "talk.m4a", 422, "talk.m4a: truncated or damaged"),
        (wave(0.5)[:9000], "cut.wav", 422, "cut.wav: truncated: its header claims"),
        (wave(0.005), "tick.wav", 422, "tick.wav: "),
        (wave(3.2), "long.wav", 413, "long.wav: lasts longer than 3 s"),
        (b"\0" * 200_001, "big.wav", 413, "big.wav: has more than 0.2 MB"),
        (b"no", "..%2F..%2Fetc%2Fa%0Ab.wav", 422, r"a\nb.wav: is not audio"),
    ],
)
def test_what_cannot_be_predicted_is_answered_by_a_sentence_that_names_it(
    content: bytes,
    name: str,
    status: int,
    sentence: str,
    bundle: Bundle,
    kept: pathlib.Path,
) -> None:
    if name.endswith("m4a"):
        pytest.importorskip("av", reason="needs pip install 'dann_jax[media]'")
    response = post(client(bundle, kept), content, name)
    assert response.status_code == status
    assert [*response.json()] == ["error"]
    assert response.json()["error"].startswith(sentence)
    assert str(kept) not in response.text and "Traceback" not in response.text


def test_a_size_that_was_not_told_is_limited_while_it_comes(
    bundle: Bundle, kept: pathlib.Path
) -> None:
    sent, most = [], []

    async def endless() -> Any:
        while True:
            most.append(max([p.stat().st_size for p in kept.rglob("sent*")] or [0]))
            sent.append(len(block := bytes(10_000)))
            yield block

    response = post(client(bundle, kept), endless())
    assert response.status_code == 413
    assert sum(sent) <= 230_000 and max(most) <= 200_000


def test_what_comes_too_slowly_is_given_up(bundle: Bundle, kept: pathlib.Path) -> None:
    async def slow() -> Any:
        yield wave(0.5)[:5000]
        await asyncio.sleep(20)

    response = post(client(bundle, kept, LIMITS._replace(max_wait=0.1)), slow())
    assert response.status_code == 408
    assert "did not come within 0.1 s" in response.json()["error"]


def test_a_form_is_refused_with_what_would_be_right(
    bundle: Bundle, kept: pathlib.Path
) -> None:
    form = {"content-type": "multipart/form-data; boundary=x"}
    response = post(client(bundle, kept), b"--x--", headers=form)
    assert response.status_code == 415 and "--data-binary" in response.json()["error"]


@pytest.mark.parametrize("suffix", [".m4a", ".webm"])
def test_other_formats_are_decoded_up_to_the_limit_only(
    suffix: str, bundle: Bundle, kept: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path, long = tmp_path / f"talk{suffix}", tmp_path / f"long{suffix}"
    write_media(path, 1.0)
    found = post(client(bundle, kept), path.read_bytes(), path.name).json()
    assert found["duration"] == pytest.approx(1.0, abs=0.03)
    write_media(long, 9.0)
    assert post(client(bundle, kept), long.read_bytes(), long.name).status_code == 413
    wave = decoded_sound(long, tmp_path / "out.w64", at_most=2.0)
    assert 2.0 < sound_duration(wave) < 2.5
    assert sound_duration(wave, at_most=2.0) == np.inf
    assert decoded_sound(wave, tmp_path / "never.w64") == wave


def test_recordings_are_predicted_one_at_a_time_and_never_mixed(
    kept: pathlib.Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, together, free = [], [], threading.Event()

    def slow_answer(_: Any, path: pathlib.Path, name: str, __: Any) -> dict:
        running.append(name)
        together.append(len(running))
        time.sleep(0.02)
        running.remove(name)
        free.wait(10)
        return {"duration": 1.0, "sent": path.read_text()}

    monkeypatch.setattr(serving, "answer", slow_answer)

    async def several(asked: Any, count: int) -> list:
        async with asked:
            calls = [
                asyncio.create_task(asked.post(f"/predict?name={n}", content=str(n)))
                for n in range(count)
            ]
            await asyncio.sleep(0.3)
            free.set()
            return await asyncio.gather(*calls)

    free.set()
    responses = asyncio.run(several(client(bundle, kept), 5))
    assert [one.json()["sent"] for one in responses] == list("01234")
    assert together == [1] * 5
    free.clear()
    impatient = client(bundle, kept, LIMITS._replace(max_wait=0.1))
    codes = [one.status_code for one in asyncio.run(several(impatient, 2))]
    assert sorted(codes) == [200, 503]


def test_a_fault_of_the_program_is_answered_without_its_traceback(
    kept: pathlib.Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "answer", lambda *_: 1 / 0)
    response = post(client(bundle, kept), b"x")
    assert response.status_code == 500
    assert response.json() == {
        "error": "the server failed; where it was started, it says how"
    }


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"origin": HERE}, True),
        ({"host": "localhost:8000", "origin": "http://localhost:8000"}, True),
        ({"host": "LOCALHOST"}, True),
        ({"host": "[::1]:8000", "origin": "http://[::1]:8000"}, True),
        ({"host": "192.168.1.7:8000"}, True),
        ({"host": "evil.org"}, False),
        ({"host": "127.0.0.1.evil.org:8000"}, False),
        ({"host": ""}, False),
        ({"origin": "http://evil.org"}, False),
        ({"origin": "http://127.0.0.1:3000"}, False),
        ({"origin": "null"}, False),
        ({"host": "evil.org", "origin": "http://evil.org"}, False),
    ],
)
def test_other_pages_and_other_names_are_refused(
    headers: dict[str, str], allowed: bool
) -> None:
    sentence = refusal({"host": "127.0.0.1:8000", **headers}, {"localhost"})
    assert bool(sentence) != allowed


def test_a_request_of_another_page_reaches_nothing(
    bundle: Bundle, kept: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "answer", lambda *_: pytest.fail("it was predicted"))
    evil = {"origin": "http://evil.org", "content-type": "text/plain"}
    response = post(client(bundle, kept), wave(0.5), headers=evil)
    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers


def test_the_page_loads_nothing_and_runs_its_own_script_alone(
    bundle: Bundle, kept: pathlib.Path
) -> None:
    async def get(*places: str) -> list:
        async with client(bundle, kept) as asked:
            return [await asked.get(place) for place in places]

    page, health, docs, wrong = asyncio.run(get("/", "/health", "/docs", "/predict"))
    text = (resources.files("dann_jax.serving") / "page.html").read_text("utf-8")
    assert page.text == text and page.headers["content-type"].startswith("text/html")
    assert re.findall(r"(?:\w+:)?//\w[^\s]*", re.sub(r"//? .*", "", text)) == []
    # By the policy no attribute may hold style or script.
    assert not re.search(r"<[^>]+\s(?:style|on\w+)=", text.partition("<script>")[0])
    policy = page.headers["content-security-policy"]
    assert policy.count("'sha256-") == 2 and "unsafe" not in policy
    assert security_headers(text + "<script>more</script>") != security_headers(text)
    assert health.json()["labels"] == list(LABELS)
    assert health.json()["sample_rates"] == [16000]
    assert (health.json()["max_seconds"], health.json()["max_megabytes"]) == (3.0, 0.2)
    assert (docs.status_code, wrong.status_code) == (404, 405)
    assert "POST /predict" in docs.json()["error"]


def test_a_duration_is_measured_no_further_than_asked(tmp_path: pathlib.Path) -> None:
    (tmp_path / "talk.wav").write_bytes(wave(2.0))
    measured = functools.partial(sound_duration, tmp_path / "talk.wav")
    assert measured() == measured(at_most=2.0) == 2.0
    assert measured(at_most=1.9) == np.inf
    (tmp_path / "none.m4a").touch()
    with pytest.raises(AudioError, match="none.m4a: the file is empty"):
        decoded_sound(tmp_path / "none.m4a", tmp_path / "out.w64")
