"""`dann-serve` in a process of its own, and its page in a real browser."""

import os
import pathlib
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import soundfile
from bundles import LABELS, hearing_bundle, tone, write_tones
from commands import Call, assert_refused
from commands import call as call
from processes import ROOT

from benchmarks.browser import Page, browser, find_browser
from dann_jax.cli import serve

pytest.importorskip("fastapi", reason="needs pip install 'dann_jax[serve]'")
httpx = pytest.importorskip("httpx", reason="needs pip install httpx")

pytestmark = pytest.mark.slow

ENDED = "SIGINT stopped it; nothing that was sent is kept"


class Served(NamedTuple):
    """A server that is ready: its address and model."""

    address: str
    model: pathlib.Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """In a process of its own, which ends at Ctrl-C with a line."""
    model = tmp_path_factory.mktemp("bundles") / "bundle"
    hearing_bundle(model)
    limits = ("--window=1", "--hop=0.5", "--max_seconds=20", "--max_megabytes=2")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "dann_jax.cli.serve"),
            *(f"--model={model}", "--port=0", *limits),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert select.select([process.stdout], [], [], 120)[0], "it is not ready"
        words = process.stdout.readline().split()
        assert words[:2] == ["ready", "at"], process.communicate(timeout=20)
        yield Served(words[2], model)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert said.splitlines()[-1] == ENDED and "Traceback" not in said
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("files")
    write_tones(folder, {"talk.wav": 3.0, "short.wav": 0.6, "long.flac": 21.0})
    (folder / "text.wav").write_text("no sound\n" * 99)
    (folder / "empty.wav").touch()
    (folder / "big.wav").write_bytes(bytes(2_000_001))
    soundfile.write(folder / "microphone.wav", tone(2, 4.0, 48000), 48000)
    return folder


@pytest.fixture(scope="module")
def tab(served: Served, files: pathlib.Path) -> Iterator[Page]:
    executable = find_browser()
    if executable is None:
        pytest.skip("no chromium here (Debian: apt-get install chromium)")
    microphone = (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={files / 'microphone.wav'}",
    )
    with browser(executable, *microphone) as page:
        yield page


@pytest.fixture
def opened(tab: Page, served: Served) -> Page:
    tab.show_as(width=390, height=844, scheme="light")
    tab.open(f"{served.address}/")
    wait_for(tab, "get('model').textContent !== ''")
    return tab


def wait_for(page: Page, condition: str, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not page.run(condition):
        assert time.monotonic() < until, page.run("document.body.innerText")
        time.sleep(0.05)


def choose(page: Page, file: pathlib.Path) -> None:
    """Choose a file, and wait for what the page says of it."""
    page.run("say('')")
    root = page.call("DOM.getDocument")["root"]["nodeId"]
    node = page.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
    page.call("DOM.setFileInputFiles", files=[str(file)], nodeId=node)
    wait_for_answer(page)


def wait_for_answer(page: Page) -> None:
    said = "get('status').textContent.startsWith('Done')"
    wait_for(page, f"{said} || get('trouble').textContent !== ''")


def complaints(page: Page) -> list[Any]:
    told = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
    return [event for event in page.events if event[0] in told]


def test_a_recording_of_the_microphone_is_predicted(opened: Page) -> None:
    opened.run("get('record').focus()")
    opened.press("Enter")
    wait_for(opened, "get('record').textContent === 'Stop'")
    time.sleep(2.0)
    opened.press("Enter")
    wait_for_answer(opened)
    assert opened.run("get('trouble').textContent") == ""
    found = opened.run("answer")
    assert found["file"] == "recording.wav" and 1.5 < found["duration"] < 4.0
    assert found["problems"] == [] and len(found["parts"]) >= 2
    assert opened.run("get('verdict').textContent").split(",")[0] in LABELS
    assert complaints(opened) == []


def test_a_file_is_predicted_drawn_and_told_in_a_table(
    opened: Page, files: pathlib.Path
) -> None:
    choose(opened, files / "talk.wav")
    found = opened.run("answer")
    assert [(row["start"], row["end"]) for row in found["parts"]] == [
        (start, start + 1.0) for start in (0.0, 0.5, 1.0, 1.5, 2.0)
    ]
    assert opened.run("document.querySelectorAll('#chart .bar').length") == 5 * 3
    assert opened.run("document.querySelectorAll('#chart .top').length") == 5
    assert opened.run("document.querySelectorAll('#table tbody tr').length") == 1 + 5
    bars = opened.run(
        "[...document.querySelectorAll('#chart .bar')].slice(0, 5)"
        ".map((own) => own.getAttribute('height') / 30)"
    )
    shares = [row["probabilities"][LABELS[0]] for row in found["parts"]]
    assert bars == pytest.approx(shares, abs=1e-6)
    # The line is where the player is.
    wait_for(opened, "get('player').duration > 2.9")
    opened.run("var ground = document.querySelector('#chart .ground')")
    opened.run("get('player').currentTime = 1.5")
    middle = (
        "(get('now').getAttribute('x1') - ground.getAttribute('x'))"
        " / ground.getAttribute('width')"
    )
    wait_for(opened, f"Math.abs({middle} - 0.5) < 0.01")
    assert complaints(opened) == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("text.wav", "text.wav: is not audio"),
        ("empty.wav", "empty.wav: the file is empty"),
        ("big.wav", "big.wav has 2.0 MB; this server takes 2 MB"),
        ("long.flac", "long.flac: lasts longer than 20 s"),
    ],
)
def test_what_cannot_be_predicted_is_said_and_leaves_no_older_result(
    name: str, sentence: str, opened: Page, files: pathlib.Path
) -> None:
    choose(opened, files / "short.wav")
    choose(opened, files / name)
    assert opened.run("get('trouble').textContent").startswith(sentence)
    assert not opened.run("get('result').checkVisibility()")


def test_a_file_that_is_dropped_is_sent(opened: Page) -> None:
    opened.run("""
      var dropped = new DataTransfer();
      dropped.items.add(new File(["no sound"], "dropped.wav"));
      dispatchEvent(new DragEvent("drop", {dataTransfer: dropped, cancelable: true}));
    """)
    wait_for_answer(opened)
    assert "dropped.wav: is not audio" in opened.run("get('trouble').textContent")


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_and_everything_on_it_has_a_name_and_is_reached_by_keys(
    width: int, opened: Page, files: pathlib.Path
) -> None:
    opened.show_as(width=width, scheme="dark")
    choose(opened, files / "talk.wav")
    opened.run("document.querySelector('details').open = true")
    assert opened.run("document.documentElement.scrollWidth") == width
    nodes = opened.call("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "image", "region", "heading", "table", "status", "alert"}
    named = {
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"] and node["role"]["value"] in roles
    }
    assert {role for role, _ in named} >= {"button", "image", "heading", "status"}
    buttons = {name for role, name in named if role in ("button", "image")}
    assert "" not in buttons and "Record" in buttons
    reached = set()
    for _ in range(20):
        opened.press("Tab")
        reached.add(
            opened.run("document.activeElement.id || document.activeElement.tagName")
        )
    assert reached >= {"record", "file", "player", "SUMMARY"}


def test_another_page_can_neither_send_nor_read(
    tab: Page, served: Served, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "evil.html").write_text("<title>another page</title>")
    tab.open(tmp_path / "evil.html")
    send = "{method: 'POST', body: 'x', headers: {'content-type': 'text/plain'}}"
    for options in (send, "{}"):
        place = "predict" if options == send else "health"
        asked = f"fetch('{served.address}/{place}', {options})"
        assert tab.run(f"{asked}.then((r) => 'read', () => 'refused')") == "refused"
    code = httpx.post(
        f"{served.address}/predict", content=b"x", headers={"origin": "null"}
    ).status_code
    assert code == 403


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ((), ("something else listens there", "--port=0 takes a free one")),
        (("--host=no.such.host",), ("cannot listen at no.such.host",)),
        (("--window=1", "--hop=3"), ("hop <= window", "--hop=3 --window=1")),
        (("--max_wait=nan",), ("--max_wait must be a number above 0",)),
        (("talk.wav",), ("unexpected argument 'talk.wav'",)),
    ],
)
def test_what_cannot_be_served_is_a_line(
    flags: tuple[str, ...], words: tuple[str, ...], served: Served, call: Call
) -> None:
    port = served.address.rpartition(":")[2]
    ended = call(serve, f"--model={served.model}", f"--port={port}", *flags)
    assert_refused(ended, *words)
