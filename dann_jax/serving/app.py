"""The server: a page, and an endpoint that takes a recording."""

import asyncio
import contextlib
import logging
import pathlib
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from typing import Any, NamedTuple

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.requests import ClientDisconnect

from dann_jax.bundle.model import Bundle
from dann_jax.data.features.audio import AudioError
from dann_jax.data.features.sound_names import SUFFIXES
from dann_jax.serving.answers import Settings, TooLongError, about, answer
from dann_jax.serving.origins import refusal, security_headers
from dann_jax.utils.text import one_line

_log = logging.getLogger(__name__)

_WHAT_THERE_IS = (
    "there is a page at /, POST /predict takes the bytes of a recording, and GET "
    "/health says what the model is"
)

_Answered = Callable[[Request], Awaitable[Response]]


class Limits(NamedTuple):
    """What a request may cost.

    Attributes:
      max_megabytes: of a recording, in 10^6 bytes.
      max_wait: seconds that a recording may take to come, and then those that it may
        wait for others that are being predicted.
    """

    max_megabytes: float
    max_wait: float


def make_app(
    bundle: Bundle,
    settings: Settings,
    limits: Limits,
    *,
    folder: pathlib.Path,
    names: Collection[str] = ("localhost",),
) -> FastAPI:
    """The application, which keeps nothing of what it is sent.

    Args:
      bundle: the model; one recording at a time is predicted by it.
      settings: how recordings are predicted.
      limits: of every request.
      folder: for recordings while they are predicted.
      names: as for `origins.refusal`.
    """
    page = (resources.files("dann_jax.serving") / "page.html").read_text("utf-8")
    headers, facts = security_headers(page), about(bundle, settings)
    facts["max_megabytes"] = limits.max_megabytes
    # Its own pages of documentation load scripts from elsewhere.
    app = FastAPI(openapi_url=None)
    # A thread, so that others are answered meanwhile; and one, whatever becomes of the
    # request that it works for.
    lock, worker = asyncio.Lock(), ThreadPoolExecutor(1)

    @app.middleware("http")
    async def guarded(request: Request, respond: _Answered) -> Response:
        why = refusal(request.headers, names)
        response = _error(403, why) if why else await respond(request)
        response.headers.update(headers)
        return response

    @app.get("/")
    def show() -> HTMLResponse:
        return HTMLResponse(page)

    @app.get("/health")
    def health() -> dict[str, Any]:
        return facts

    @app.post("/predict")
    async def predict(request: Request, name: str = "the recording") -> dict[str, Any]:
        name = one_line(pathlib.PurePath(name).name) or "the recording"
        with tempfile.TemporaryDirectory(dir=folder) as own:
            # Some formats are known by the ending of a name alone.
            suffix = pathlib.PurePath(name).suffix.lower()
            path = pathlib.Path(own, "sent").with_suffix(
                suffix if suffix in SUFFIXES else ""
            )
            await _receive(request, path, name, limits)
            async with _turn(lock, limits.max_wait):
                began = time.monotonic()
                try:
                    found = await asyncio.get_running_loop().run_in_executor(
                        worker, answer, bundle, path, name, settings
                    )
                except AudioError as error:
                    too_long = isinstance(error, TooLongError)
                    raise HTTPException(413 if too_long else 422, str(error)) from None
                seconds = time.monotonic() - began
        _log.info("%s: %.4g s of sound in %.3g s", name, found["duration"], seconds)
        return {**found, "seconds": round(seconds, 3), "notes": facts["notes"]}

    @app.exception_handler(AnyHTTPException)
    async def refused(_: Request, error: AnyHTTPException) -> JSONResponse:
        unknown = error.status_code in (404, 405)
        return _error(error.status_code, _WHAT_THERE_IS if unknown else error.detail)

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> JSONResponse:
        _log.error("a request failed by a fault of this program", exc_info=error)
        return _error(500, "the server failed; where it was started, it says how")

    return app


async def _receive(
    request: Request, path: pathlib.Path, name: str, limits: Limits
) -> None:
    """Write what is sent to a file, up to the limit.

    Raises:
      HTTPException: it is too much, too slow, a form, or it ends too early.
    """
    most = int(limits.max_megabytes * 1e6)
    too_large = HTTPException(
        413,
        f"{name}: has more than {limits.max_megabytes:g} MB, the most that this server "
        f"takes; cut it, or use dann-predict, which has no limit",
    )
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise HTTPException(
            415,
            "send the file itself, not a form: curl --data-binary @talk.wav (not -F)",
        )
    if int(request.headers.get("content-length", 0)) > most:
        raise too_large
    size = 0
    try:
        with path.open("wb") as file:
            async with asyncio.timeout(limits.max_wait):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > most:
                        raise too_large
                    file.write(chunk)
    except TimeoutError:
        raise HTTPException(
            408, f"{name}: did not come within {limits.max_wait:g} s"
        ) from None
    except ClientDisconnect:
        raise HTTPException(
            400, f"{name}: the connection ended before it did"
        ) from None


@contextlib.asynccontextmanager
async def _turn(lock: asyncio.Lock, seconds: float) -> AsyncIterator[None]:
    """Wait until nothing else is predicted.

    Raises:
      HTTPException: that takes longer than so many seconds.
    """
    try:
        async with asyncio.timeout(seconds):
            await lock.acquire()
    except TimeoutError:
        raise HTTPException(
            503,
            f"other recordings are being predicted, and {seconds:g} s were not enough "
            f"to wait for them; try again later",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _error(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)
