"""A headless Chromium, spoken to through a pipe in the DevTools protocol.

Nothing but the browser is needed: no driver, no package, no port.
"""

import base64
import contextlib
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""What the browser is called on one system or another."""

_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)


_TWO_FRAMES = """new Promise((done) => {
  requestAnimationFrame(() => requestAnimationFrame(() => done(0)));
})"""


def find_browser() -> str | None:
    """Path of a Chromium, None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One tab.

    Attributes:
      events: what the browser told since the last `open`, as (method, parameters).
    """

    def __init__(self, sent: int, received: int) -> None:
        self._sent, self._received = sent, received
        self._rest = b""
        self._last = 0
        self._session: str | None = None
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask the browser, and wait for its answer.

        Raises:
          RuntimeError: it refuses.
        """
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._sent, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._last:
                break
            self.events.append((answer.get("method", ""), answer.get("params", {})))
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _read(self, seconds: float = 60.0) -> dict[str, Any]:
        """The next message.

        Raises:
          TimeoutError: none came.
        """
        while b"\0" not in self._rest:
            if not select.select([self._received], [], [], seconds)[0]:
                raise TimeoutError(f"the browser said nothing for {seconds:g} s")
            heard = os.read(self._received, 1 << 20)
            if not heard:
                raise TimeoutError("the browser has ended")
            self._rest += heard
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def open(self, path: pathlib.Path | str) -> float:
        """Show a file, or what is at an address; the seconds until it was loaded."""
        self.events.clear()
        begun = time.perf_counter()
        url = path if isinstance(path, str) else path.resolve().as_uri()
        self.call("Page.navigate", url=url)
        while not any(method == "Page.loadEventFired" for method, _ in self.events):
            message = self._read()
            self.events.append((message.get("method", ""), message.get("params", {})))
        return time.perf_counter() - begun

    def run(self, script: str) -> Any:
        """The JSON value of an expression in the page, awaited if it is a promise.

        Raises:
          RuntimeError: it throws.
        """
        answer = self.call(
            "Runtime.evaluate",
            expression=script,
            returnByValue=True,
            awaitPromise=True,
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """A key by its name in the DOM, such as `Tab` or `ArrowRight`."""
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowLeft": 37, "ArrowRight": 39}
        code = {"windowsVirtualKeyCode": codes[key]}
        text = {"Enter": {"text": "\r"}, " ": {"text": " "}}.get(key, {})
        name = "Space" if key == " " else key
        self.call(
            "Input.dispatchKeyEvent", type="keyDown", key=key, code=name, **text, **code
        )
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=name, **code)

    def show_as(self, *, width: int = 1280, height: int = 900, scheme: str) -> None:
        """A screen of so many pixels that prefers `light` or `dark`."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        wanted = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=wanted)
        # The page is told with the next frame.
        self.run(_TWO_FRAMES)

    def screenshot(self, path: pathlib.Path, *, whole: bool = False) -> None:
        """Write what is on the screen, or the whole page, as a PNG file."""
        shot = self.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=whole
        )
        path.write_bytes(base64.b64decode(shot["data"]))


@contextlib.contextmanager
def browser(executable: str, *more: str) -> Iterator[Page]:
    """A browser for the length of the block, with a profile of its own, and flags."""
    to_browser, sent = os.pipe()
    received, from_browser = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = [*_FLAGS, *more, f"--user-data-dir={profile}"]
        if os.getuid() == 0:
            # The sandbox refuses to work for root.
            flags.append("--no-sandbox")
        # The protocol asks for the descriptors 3 and 4; the shell puts the ends there.
        command = f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}'
        process = subprocess.Popen(
            ["bash", "-c", command, executable, *flags, "about:blank"],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        try:
            page = Page(sent, received)
            yield page
        finally:
            os.close(sent)
            os.close(received)
            process.terminate()
            process.wait(20)
