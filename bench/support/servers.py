"""Starts a server in its own process, and finds a browser."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser() -> str | None:
    """Path of an installed Chrome or Chromium. None makes playwright use its own."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def serving(command: list[str], port: int, folder: str, **environment: str):
    """Starts a server in its own process, waits until it answers, and stops it at the end."""
    env = os.environ | environment | {"PORT": str(port), "GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"}
    log = open(Path(folder) / f"{port}.log", "w+", encoding="utf-8")  # noqa: SIM115
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT)
    try:
        for _ in range(900):
            if process.poll() is not None:
                raise RuntimeError(f"{' '.join(command)} stopped at once.")
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(f"http://127.0.0.1:{port}/", timeout=5)
                break
            time.sleep(0.2)
        else:
            raise RuntimeError(f"{' '.join(command)} did not answer within three minutes.")
        yield process
    finally:
        if process.poll() is not None:
            said = Path(log.name).read_text(encoding="utf-8")[-2000:]
            print(f"{' '.join(command)} has ended by itself:\n{said}", file=sys.stderr)
        process.terminate()
        process.wait(30)
