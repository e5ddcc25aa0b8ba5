"""A real browser for tests: Chromium, driven over a pipe by its DevTools protocol."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-pipe",
)


def find_chromium() -> str | None:
    """The browser named by SYNGLOT_CHROMIUM, or the first of the usual names on the path."""
    named = os.environ.get("SYNGLOT_CHROMIUM")
    return named or next((found for name in _NAMES if (found := shutil.which(name))), None)


class Browser:
    """One page of a headless browser.

    problems: what the page has written to the console and every error that it raised.
    requests: addresses that it asked for, data and file addresses included.
    """

    def __init__(self, executable: str) -> None:
        self.problems: list[str] = []
        self.requests: list[str] = []
        self._count = 0
        self._rest = b""
        self._session: str | None = None
        self._profile = Path(tempfile.mkdtemp())
        self._pid, self._write_fd, self._read_fd = _spawn([executable, *_FLAGS], self._profile)
        try:
            self._attach()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the browser and remove what it kept."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._write_fd)
        os.close(self._read_fd)
        shutil.rmtree(self._profile, ignore_errors=True)

    def open(
        self,
        page: Path,
        *,
        width: int,
        height: int = 900,
        dark: bool = False,
        media: str = "",
    ) -> None:
        """Show a file at a size in CSS pixels, a phone below 600 of width.

        media: `print` shows it as on paper.
        """
        mobile = width < 600
        self._send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if mobile else 1,
            mobile=mobile,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._send("Emulation.setEmulatedMedia", media=media, features=[scheme])
        answer = self._send("Page.navigate", url=page.as_uri())
        if "errorText" in answer:
            raise RuntimeError(f"{page}: {answer['errorText']}")
        self._wait_for("Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self._send("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def screenshot(self, path: Path, *, top: int = 0, height: int = 2000) -> None:
        """A part of the page as PNG, its full width."""
        width = self.evaluate("innerWidth")
        clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
        answer = self._send(
            "Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True
        )
        path.write_bytes(base64.b64decode(answer["data"]))

    def print_pdf(self, path: Path) -> None:
        """The page as it is printed on its own paper size."""
        answer = self._send("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def _attach(self) -> None:
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        attached = self._send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._send(f"{domain}.enable")

    def _send(self, method: str, **parameters: object) -> Mapping[str, Any]:
        self._count += 1
        message: dict[str, object] = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write_fd, json.dumps(message).encode() + b"\0")
        for answer in self._messages():
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: Mapping[str, Any] = answer["result"]
                return result
        raise RuntimeError(f"the browser ended at {method}")

    def _wait_for(self, event: str) -> None:
        for message in self._messages():
            if message.get("method") == event:
                return
        raise RuntimeError(f"the browser ended before {event}")

    def _messages(self) -> Iterator[Mapping[str, Any]]:
        while True:
            while b"\0" in self._rest:
                raw, _, self._rest = self._rest.partition(b"\0")
                message = json.loads(raw)
                self._note(message)
                yield message
            chunk = os.read(self._read_fd, 1 << 20)
            if not chunk:
                return
            self._rest += chunk

    def _note(self, message: Mapping[str, Any]) -> None:
        method, parameters = message.get("method"), message.get("params", {})
        if method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.problems.append(json.dumps(parameters))
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])


def _spawn(command: list[str], profile: Path) -> tuple[int, int, int]:
    """(process, where to write, where to read): a browser takes commands on 3, answers on 4."""
    child_reads, write_fd = os.pipe()
    read_fd, child_writes = os.pipe()
    # Out of the way of the numbers that they are going to have in the child.
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (child_reads, child_writes)]
    actions: list[tuple[Any, ...]] = [
        *((os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)),
        (os.POSIX_SPAWN_DUP2, high[0], 3),
        (os.POSIX_SPAWN_DUP2, high[1], 4),
    ]
    arguments = [*command, f"--user-data-dir={profile}", "about:blank"]
    pid = os.posix_spawn(command[0], arguments, os.environ, file_actions=actions)
    for fd in (child_reads, child_writes, *high):
        os.close(fd)
    return pid, write_fd, read_fd
