"""Runs the app and times each piece of work on its inference thread: `python -m bench.support.watched FILE`.

FILE gets a line for each piece: the function's name, and the milliseconds that it held the thread.
"""

import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import app
import ui.worker


class Watched(ThreadPoolExecutor):
    log = open(sys.argv[1], "a", buffering=1, encoding="utf-8")  # noqa: SIM115  stays open while the app runs

    def submit(self, function: Callable, *args) -> Future:  # type: ignore[override]
        def piece():
            began = time.perf_counter()
            try:
                return function(*args)
            finally:
                name = getattr(function, "__name__", "other")
                self.log.write(f"{name} {1e3 * (time.perf_counter() - began):.1f}\n")

        return super().submit(piece)


if __name__ == "__main__":
    ui.worker.ThreadPoolExecutor = Watched  # type: ignore[misc]
    app.main()
