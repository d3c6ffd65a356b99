"""A headless Chromium for tests of pages, spoken to by its own protocol over two pipes."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--no-first-run", "--disable-extensions", "--disable-background-networking",
    "--remote-debugging-pipe",
)  # fmt: skip


class Tab:
    """A page in a browser.

    Attributes
    ----------
    said : list of str
        What it wrote to the console, and what was refused or went wrong.
    """

    def __init__(self, write, read):
        self._write, self._read = write, read
        self._count, self._session, self.said = 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        found = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """One command, and its answer."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        self._write.write(json.dumps(message).encode() + b"\0")
        self._write.flush()
        return self._until(lambda found: found.get("id") == self._count)["result"]

    def _until(self, wanted):
        while True:
            found = json.loads(self._message())
            if found.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown",
                                       "Log.entryAdded"):  # fmt: skip
                self.said.append(json.dumps(found["params"]))
            if "error" in found:
                raise AssertionError(found["error"])
            if wanted(found):
                return found

    def _message(self):
        data = bytearray()
        while (byte := self._read.read(1)) != b"\0":
            assert byte, "the browser has ended"
            data += byte
        return bytes(data)

    def open(self, path, width=1000, height=900, scheme="light"):
        """Load a file in a window of this size."""
        assert Path(path).is_file()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
        self.media(scheme=scheme)
        self.call("Page.navigate", url=Path(path).absolute().as_uri())
        self._until(lambda found: found.get("method") == "Page.loadEventFired")

    def media(self, kind="", scheme="light"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=kind, features=features)

    def evaluate(self, expression):
        """The value of an expression of JavaScript."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def screenshot(self, path, whole=True):
        data = self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        Path(path).write_bytes(base64.b64decode(data))

    def pdf(self, path):
        data = self.call("Page.printToPDF", printBackground=True)["data"]
        Path(path).write_bytes(base64.b64decode(data))


@contextmanager
def tab():
    """An empty page in a browser of its own."""
    here, there = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:

        def connect():  # descriptors 3 and 4 of the browser are its protocol
            ends = os.dup(here[0]), os.dup(there[1])
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        started = subprocess.Popen(
            [BROWSER, *FLAGS, f"--user-data-dir={folder}"],
            preexec_fn=connect, close_fds=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(here[0])
        os.close(there[1])
        try:
            with open(here[1], "wb") as write, open(there[0], "rb") as read:
                found = Tab(write, read)
                yield found
                found.call("Browser.close") if found._session is None else None
        finally:
            started.kill()
            started.wait()


# Every text with its contrast to what is behind it, where that is below AA of WCAG 2.2: 4.5, or 3
# for large text. Drawings are turned round by a filter in the dark and are left to the colours of
# `kstest.plot`, see test_gallery.py.
FAINT = """(() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = color => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1); const d = canvas.getImageData(0, 0, 1, 1).data;
    return [d[0], d[1], d[2], d[3] / 255]; };
  const over = (top, below) => [0, 1, 2].map(k => top[3] * top[k] + (1 - top[3]) * below[k]);
  const light = c => { const l = c.slice(0, 3).map(v => (v /= 255) <= .04045 ? v / 12.92 :
    ((v + .055) / 1.055) ** 2.4); return .2126 * l[0] + .7152 * l[1] + .0722 * l[2]; };
  const behind = e => { const layers = [];
    for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor);
      if (c[3] > 0) layers.push(c); if (c[3] === 1) break; }
    const dark = matchMedia("(prefers-color-scheme: dark)").matches &&
      getComputedStyle(document.documentElement).colorScheme.includes("dark");
    return layers.reverse().reduce((below, top) => over(top, below), dark ? [18, 18, 18] :
      [255, 255, 255]); };
  const clear = e => { let o = 1; for (; e; e = e.parentElement)
    o *= parseFloat(getComputedStyle(e).opacity); return o; };
  const found = {}, walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, text = walk.currentNode.textContent.trim();
    if (!text || e.closest("figure svg, script, style, noscript, [aria-hidden=true], [disabled]"))
      continue;
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    if (!box.width || !box.height || style.visibility !== "visible" || !e.checkVisibility())
      continue;
    const back = behind(e), ink = rgba(style.color); ink[3] *= clear(e);
    if (ink[3] === 0) continue;
    const [a, b] = [light(over(ink, back)), light(back)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight) >= 700);
    const ratio = (a + .05) / (b + .05);
    if (ratio < (large ? 3 : 4.5))
      found[`${e.tagName}.${e.className}`] = `${ratio.toFixed(2)} ${text.slice(0, 30)}`;
  }
  return found; })()"""
