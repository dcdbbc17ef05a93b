"""Drive a headless Chromium over its debugging pipe: what a page asks for, says and measures."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-pipe",
]


def executable() -> str | None:
    """Where Chromium is, or None."""
    return next(
        (
            found
            for name in ("chromium", "chromium-browser", "google-chrome")
            if (found := shutil.which(name))
        ),
        None,
    )


class Browser:
    """One tab of a headless Chromium."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self.to_browser, self.from_browser = to_browser, os.fdopen(from_browser, "rb")
        self.count, self.events, self.session, self.unread = 0, [], None, b""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters):
        """Send a command and return its result; events that come meanwhile are kept."""
        self.count += 1
        number = self.count
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, path: Path, width: int, height: int = 900, settle: int = 0) -> list[dict]:
        """Open a page at a width; return all that happened until it had loaded, and `settle` milliseconds after."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())
        self.evaluate(f"new Promise(done => setTimeout(done, {settle}))")
        return list(self.events)

    def evaluate(self, expression: str):
        """Return the value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return result["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """Save the whole page as a picture."""
        image = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(image))

    def _read(self) -> dict:
        while b"\0" not in self.unread:  # a message holds the pictures of a page: megabytes
            part = self.from_browser.read1(1 << 20)
            assert part, "Chromium is gone"
            self.unread += part
        message, _, self.unread = self.unread.partition(b"\0")
        return json.loads(message)


@contextmanager
def browser():
    """Start a Chromium with an empty profile."""
    profile = tempfile.mkdtemp(prefix="chromium-")
    command_read, command_write = os.pipe()
    answer_read, answer_write = os.pipe()

    def wire() -> None:  # Chromium reads commands from file 3 and answers on file 4
        kept_read, kept_write = os.dup(command_read), os.dup(answer_write)
        os.dup2(kept_read, 3)
        os.dup2(kept_write, 4)

    process = subprocess.Popen(
        [executable(), *FLAGS, f"--user-data-dir={profile}"],
        preexec_fn=wire,
        close_fds=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(command_read)
    os.close(answer_write)
    try:
        yield Browser(command_write, answer_read)
    finally:
        process.kill()
        process.wait()
        os.close(command_write)
        shutil.rmtree(profile, ignore_errors=True)
