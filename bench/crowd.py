"""How the page bears 20 visitors who drag, and two who bring photos beside them: `python -m bench.crowd`.

The app runs in its own process with the embedded weights; its inference thread is timed. The visitors run in another
process. They send moves over the channel, then by posts.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import psutil

from training.command import one_sentence, unwritten
from training.tables import table, write_json

from .support.machine import machine
from .support.servers import ROOT, free_port, serving

ASKED_MS = 250  # longest time that a move may wait for another visitor's descent
CASES = {
    "over the channel": [],
    "over the channel, beside two who bring photos": ["--photos", "2"],
    "posted": ["--posts"],
    "posted, beside two who bring photos": ["--posts", "--photos", "2"],
}
# Work on the inference thread: name of the function (in ui/) -> what it does.
PIECES = {
    "_serve": "a batch of moves",
    "see": "a photo: read, head found, first answer",
    "open": "a descent begins",
    "go_on": "a step of a descent",
    "shown": "its picture",
}
IDLE_MS = 0.5  # shorter pieces did nothing: an earlier batch had already drawn their moves
DESCENT = ("open", "go_on", "shown")


def spread(times: list[float]) -> dict[str, float]:
    """Median, 95th percentile and maximum, in milliseconds."""
    times = sorted(times)
    return {"median": statistics.median(times), "p95": times[math.ceil(0.95 * (len(times) - 1))], "longest": times[-1]}


def bench_crowd(seconds: float) -> dict:
    """For each case: what the visitors saw, and how long each piece of work held the inference thread."""
    port, here = free_port(), "http://127.0.0.1"
    result: dict = {"machine": machine(), "seconds": seconds, "cases": {}}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "pieces.txt"
        command = [sys.executable, "-m", "bench.support.watched", str(log)]
        with serving(command, port, folder, WEIGHTS="") as app:
            for name, options in CASES.items():
                result["cases"][name] = case(f"{here}:{port}", app, log, seconds, options)
    return result


def case(url: str, app: subprocess.Popen, log: Path, seconds: float, options: list[str]) -> dict:
    memory, before = psutil.Process(app.pid), log.stat().st_size
    at_first = memory.memory_info().rss / 1e6
    command = [sys.executable, "-m", "bench.support.visitors", url, "--seconds", str(seconds), *options]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=240 + 4 * seconds)
    seen = json.loads(done.stdout)
    pieces = defaultdict(list)
    for line in log.read_text(encoding="utf-8")[before:].splitlines():
        name, took = line.split()
        if float(took) > IDLE_MS:
            pieces[name].append(float(took))
    rates = [one["pictures"] / seconds for one in seen["drag"]]
    return {
        "visitors": len(seen["drag"]),
        "pictures_per_second_median": statistics.median(rates),
        "pictures_per_second_slowest": min(rates),
        "move_ms": spread([took for one in seen["drag"] for took in one["took"]]),
        "errors": sum(one["errors"] for one in [*seen["drag"], *seen["photos"]]),
        "last_ones_right": all(one["last"] and one["own"] for one in seen["drag"]),
        "photos": sum(one["photos"] for one in seen["photos"]),
        "steps": sum(one["steps"] for one in seen["photos"]),
        "pieces_ms": {name: spread(pieces[name]) for name in PIECES if pieces[name]},
        "memory_mb_before": at_first,
        "memory_mb_after": memory.memory_info().rss / 1e6,
    }


def crowd_table(result: dict) -> str:
    """The measurements as Markdown."""
    columns = ["20 visitors drag", "pictures a second each (the slowest)"]
    columns += ["a move at the server, ms: median (p95, longest)"]
    columns += ["errors", "each one's last dog its own", "photos", "steps nearer", "memory MB"]
    rows = []
    for name, r in result["cases"].items():
        pictures = f"{r['pictures_per_second_median']:.1f} ({r['pictures_per_second_slowest']:.1f})"
        right = "yes" if r["last_ones_right"] else "NO"
        memory = f"{r['memory_mb_before']:.0f} -> {r['memory_mb_after']:.0f}"
        counts = (str(r[key]) for key in ("photos", "steps"))
        rows.append([name, pictures, written(r["move_ms"]), str(r["errors"]), right, *counts, memory])
    lines = table(columns, rows)
    names = list(result["cases"])
    held = [
        [does, *(written(result["cases"][name]["pieces_ms"].get(piece)) for name in names)]
        for piece, does in PIECES.items()
    ]
    lines += ["", *table(["ms on the inference thread: median (p95, longest)", *names], held), ""]
    pieces = [r["pieces_ms"] for r in result["cases"].values()]
    longest = max((taken[piece]["longest"] for taken in pieces for piece in DESCENT if piece in taken), default=0)
    lines.append(
        f"All descents take turns, a piece a turn, so a move waits for one piece of them at most: {longest:.0f} ms, "
        f"{'within' if longest <= ASKED_MS else 'beyond'} the {ASKED_MS} ms that were asked."
    )
    return "\n".join(lines)


def written(ms: dict[str, float] | None) -> str:
    return f"{ms['median']:.0f} ({ms['p95']:.0f}, {ms['longest']:.0f})" if ms else ""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    parser.add_argument("--seconds", type=float, default=30, help="of each case (default 30)")
    args = parser.parse_args(argv)
    with one_sentence(unwritten("The numbers")):
        result = bench_crowd(args.seconds)
        print(crowd_table(result))
        if args.json:
            write_json(result, args.json)


if __name__ == "__main__":
    main()
