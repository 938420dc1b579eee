"""How fast the page is, in a real browser: `python -m bench.page`.

Headless Chromium, the app in a process of its own with the embedded weights, and beside it a page of stock
Gradio parts (bench/stock.py: gr.Slider -> gr.Image) with the same model.
"""

import argparse
import gzip
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil

from model.errors import PlainError
from training.command import one_sentence, unwritten
from training.tables import table, write_json

from .support.machine import machine
from .support.servers import ROOT, find_browser, free_port, serving
from .support.slow import SlowNetwork
from .support.visitors import alike, pad_protocol

ROUND_TRIP = 0.150  # seconds, of a slow network

# What the harness knows in the page: the last pointer event, and of each new picture, what became of it when.
HARNESS = """
window.bench = { pictures: [], made: new Map(), sent: new Map(), input: 0, answer: null };
for (const kind of ["pointerdown", "pointermove"])
  addEventListener(kind, (event) => { if (event.buttons) bench.input = event.timeStamp; }, true);
const note = (number) => bench.sent.set(number, { input: bench.input, sent: performance.now() });
const came = (number, { took, decoding, encoding }) => ({
  ...bench.sent.get(number), came: performance.now(), took, decoding, encoding,
});

const plainFetch = window.fetch;
window.fetch = async (...all) => {
  const isCall = String(all[0]).includes("component_server") && typeof all[1]?.body === "string";
  const body = isCall ? JSON.parse(all[1].body) : {};
  const number = body.fn_name === "move" ? body.data.number : undefined;
  if (number) note(number);
  const answer = await plainFetch(...all);
  const keep = (told) => told?.picture && bench.made.set(told.picture, came(number, told));
  if (number) answer.clone().json().then(keep, () => {});
  return answer;
};
const Plain = window.WebSocket;
window.WebSocket = BENCH_CHANNEL && class extends Plain {
  constructor(...all) {
    super(...all);
    this.addEventListener("message", ({ data }) => {
      const head = new DataView(data), text = new Uint8Array(data, 8, head.getUint32(4, true));
      bench.answer = came(head.getUint32(0, true), JSON.parse(new TextDecoder().decode(text)));
    });
  }
  send(data) {
    note(new DataView(data).getUint32(0, true));
    super.send(data);
  }
};
const plainAddress = URL.createObjectURL;
URL.createObjectURL = (file) => {
  const address = plainAddress.call(URL, file);
  if (bench.answer) bench.made.set(address, bench.answer);
  return address;
};

// A frame after the next one begins, the picture has been painted.
const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
bench.start = (selector) => {
  let seen = document.querySelector(selector).src;
  new MutationObserver(async () => {
    const node = document.querySelector(selector);
    if (!node || node.src === seen) return;
    const src = seen = node.src, asked = bench.made.get(src) ?? { input: bench.input };
    await node.decode().catch(() => {});
    await painted();
    const at = performance.now();
    bench.pictures.push({ ...asked, at, age: at - asked.input, moving: bench.made.has(src) });
    if (bench.next && asked.input >= bench.after) bench.next(at - asked.input);
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["src"] });
};
// The time from the next pointer event to its painted picture.
bench.expect = () => {
  bench.after = performance.now();
  const late = new Promise((done) => setTimeout(() => done(10000), 10000));
  bench.told = Promise.race([late, new Promise((done) => { bench.next = done; })]);
};
"""
PAD = ("#dog img", "#latents input[type=range]")
STOCK = ("#picture img", "#direction input[type=range]")


def measure(browser, url: str, parts: tuple[str, str], moves: int, seconds: float, channel: bool = True) -> dict:
    """From a pointer event to the painted picture, one by one; then pictures while dragging.

    channel: False hides the browser's WebSocket, so that the page posts its moves.
    """
    page = opened(browser, url, parts, channel)
    page.wait_for_timeout(1500)  # what a page does after it has loaded
    place = Slider(page, parts[1])
    rng, times = random.Random(0), []
    for _ in range(moves + 10):
        page.evaluate("bench.expect()")
        place.move(rng.random())
        times.append(page.evaluate("bench.told"))
    page.evaluate("bench.pictures = []")
    place.drag(seconds)
    drawn = page.evaluate("bench.pictures")
    place.let_go()
    result = {
        "median_ms": statistics.median(times[10:]),
        "p95_ms": statistics.quantiles(times[10:], n=20)[-1],
        "pictures_per_second": len(drawn) / seconds,
        "median_age_ms": statistics.median(p["age"] for p in drawn) if drawn else None,
    }
    if parts is PAD:
        result["stages_ms"] = stages([p for p in drawn if p["moving"] and p.get("took")])
        result["last_one_right"] = last_one_right(page, url)
        result["pixels"] = page.evaluate("document.querySelector('#dog img').naturalWidth")
    page.close()
    return result


def opened(browser, url: str, parts: tuple[str, str], channel: bool = True):
    """The page, with the harness in it."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.add_init_script(HARNESS.replace("BENCH_CHANNEL", json.dumps(channel)))
    page.goto(url)
    for part in parts:
        page.wait_for_selector(part, timeout=60_000)
    page.evaluate("picture => bench.start(picture)", parts[0])
    return page


class Slider:
    """A slider under the pointer of a mouse whose button is held."""

    def __init__(self, page, selector: str):
        self.page, track = page, page.locator(selector).first.bounding_box()
        self.left, self.width, self.y = track["x"] + 10, track["width"] - 20, track["y"] + track["height"] / 2
        page.mouse.move(self.left + self.width / 2, self.y)
        page.mouse.down()

    def move(self, share: float) -> None:
        self.page.mouse.move(self.left + share * self.width, self.y)

    def drag(self, seconds: float) -> None:
        """To and fro in 2.5 s, 60 events a second."""
        began = time.perf_counter()
        while (passed := time.perf_counter() - began) < seconds:
            self.move(0.5 + 0.5 * math.sin(2 * math.pi * passed / 2.5))
            time.sleep(max(0, 1 / 60 - (time.perf_counter() - began - passed)))

    def let_go(self) -> None:
        self.page.mouse.up()


def stages(drawn: list[dict]) -> dict[str, float]:
    """Where the time of moving pictures went, median milliseconds of each stage."""
    parts = {
        "until it is sent": [p["sent"] - p["input"] for p in drawn],
        "network": [p["came"] - p["sent"] - p["took"] for p in drawn],
        "queue": [p["took"] - p["decoding"] - p["encoding"] for p in drawn],
        "decode": [p["decoding"] for p in drawn],
        "encode": [p["encoding"] for p in drawn],
        "wait for the frame": [p["at"] - p["came"] for p in drawn],
    }
    return {name: statistics.median(times) for name, times in parts.items() if times}


def last_one_right(page, url: str) -> bool:
    """Whether the picture at rest is what the server draws when asked for the slider's last value."""
    page.wait_for_timeout(1000)
    page.wait_for_function("document.querySelector('#dog img').src.startsWith('data:image/png')", timeout=20_000)
    address, pad, first = pad_protocol(url)
    values = [float(page.input_value(PAD[1] + " >> nth=0")), *first[1:]]
    data = {"page": "bench", "number": 1, "space": "directions", "values": values, "still": True}
    body = {"data": data, "component_id": pad, "fn_name": "move", "session_hash": "bench"}
    asked = httpx.post(address, json=body, timeout=60).json()["picture"]
    return alike(asked, page.get_attribute("#dog img", "src"))


def crowd(browser, url: str, process: subprocess.Popen, seconds: float) -> dict:
    """20 visitors over HTTP and one in a real browser, all dragging at once."""
    memory = psutil.Process(process.pid)
    before = memory.memory_info().rss / 1e6
    page = opened(browser, url, PAD)
    place = Slider(page, PAD[1])
    command = [sys.executable, "-m", "bench.support.visitors", url, str(seconds)]
    visitors = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    place.drag(seconds)
    drawn = page.evaluate("bench.pictures")
    place.let_go()
    during = memory.memory_info().rss / 1e6
    page.wait_for_function("document.querySelector('#dog img').src.startsWith('data:image/png')", timeout=60_000)
    out, _ = visitors.communicate(timeout=120 + 3 * seconds)
    page.close()
    seen = json.loads(out)
    rates = [s["pictures"] / seconds for s in seen]
    return {
        "visitors": len(seen),
        "errors": sum(s["errors"] for s in seen),
        "pictures_per_second_slowest": min(rates),
        "pictures_per_second_median": statistics.median(rates),
        "pictures_per_second_page": len(drawn) / seconds,
        "last_ones_right": all(s["last"] and s["own"] for s in seen),
        "memory_mb_before": before,
        "memory_mb_after": max(during, memory.memory_info().rss / 1e6),
    }


def first_load(browser, url: str) -> dict:
    """Of a visitor who was never here: until the sliders are there, and what comes over the wire."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(url, wait_until="commit")
    page.wait_for_selector(PAD[1], timeout=60_000)
    timing = "performance.now() - performance.getEntriesByType('navigation')[0].responseStart"
    seconds = page.evaluate(timing) / 1e3
    sizes = "performance.getEntriesByType('navigation')[0].transferSize"
    document = page.evaluate(sizes)
    context.close()
    config = httpx.get(f"{url}/config", timeout=60).json()
    own = [c["props"] for c in config["components"] if c["props"].get("elem_id") in ("pad", "lesson")]
    keys = ("html_template", "css_template", "js_on_load", "value")
    text = "".join(p[k] if isinstance(p[k], str) else json.dumps(p[k]) for p in own for k in keys).encode()
    text += b"".join(path.read_bytes() for path in sorted((ROOT / "ui" / "web").glob("*.js")))
    return {
        "usable_seconds": seconds,
        "document_kb": document / 1e3,
        "own_parts_kb": len(text) / 1e3,
        "own_parts_compressed_kb": len(gzip.compress(text)) / 1e3,
    }


def bench_page(moves: int, drag_seconds: float, crowd_seconds: float) -> dict:
    """Everything that is printed. Raises PlainError where there is no browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise PlainError("The page is measured in a browser: pip install -r tests/requirements.txt first.") from None
    ports, here = [free_port(), free_port()], "http://127.0.0.1"
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox", "--disable-gpu"])
        with serving([sys.executable, "app.py"], ports[0], folder) as app:
            url = f"{here}:{ports[0]}"
            result = {"load": first_load(browser, url)}
            with SlowNetwork(ports[0], ROUND_TRIP / 2) as slow:
                for name, channel in (("channel", True), ("post", False)):
                    result[name] = measure(browser, url, PAD, moves, drag_seconds, channel)
                    far = f"{here}:{slow.port}"
                    result[f"slow {name}"] = measure(browser, far, PAD, max(5, moves // 10), drag_seconds, channel)
            result["crowd"] = crowd(browser, url, app, crowd_seconds)
        with serving([sys.executable, "-m", "bench.stock", str(ports[1])], ports[1], folder):
            result["stock"] = measure(browser, f"{here}:{ports[1]}", STOCK, moves, drag_seconds)
        browser.close()
    result["ratio"] = result["stock"]["median_ms"] / result["channel"]["median_ms"]
    return result


def page_table(result: dict) -> str:
    """The same as Markdown."""
    columns = ["page", "pointer event to painted picture, median (p95) ms", "pictures a second, dragging", "age ms"]
    names = {
        "channel": "DogVAE",
        "post": "DogVAE, moves posted",
        "slow channel": "DogVAE, 150 ms round trip added",
        "slow post": "DogVAE, 150 ms round trip added, moves posted",
        "stock": "gr.Slider -> gr.Image, same model",
    }
    yes = {True: "yes", False: "NO", None: ""}
    rows = []
    for key, name in names.items():
        r = result[key]
        age = "" if r["median_age_ms"] is None else f"{r['median_age_ms']:.0f}"
        time = f"{r['median_ms']:.0f} ({r['p95_ms']:.0f})"
        rows.append([name, time, f"{r['pictures_per_second']:.1f}", age, yes[r.get("last_one_right")]])
    lines = table([*columns, "last one right"], rows)
    ours = [key for key in names if "stages_ms" in result[key]]
    spent = [[names[key], *(f"{ms:.1f}" for ms in result[key]["stages_ms"].values())] for key in ours]
    lines += ["", *table([f"ms, {result['channel']['pixels']} pixels", *result["channel"]["stages_ms"]], spent)]
    load, many = result["load"], result["crowd"]
    lines += [
        "",
        f"The stock page takes {result['ratio']:.1f} times as long.",
        f"First load: usable {load['usable_seconds']:.1f} s after the server answers; {load['document_kb']:.0f} kB of "
        f"document on the wire; our own parts {load['own_parts_kb']:.0f} kB, {load['own_parts_compressed_kb']:.0f} kB "
        "compressed.",
        f"{many['visitors']} visitors dragging beside a real page: {many['errors']} errors; pictures a second each "
        f"{many['pictures_per_second_median']:.1f}, the slowest {many['pictures_per_second_slowest']:.1f}, the page "
        f"{many['pictures_per_second_page']:.1f}; each one's last picture its own and right: "
        f"{yes[many['last_ones_right']]}; memory {many['memory_mb_before']:.0f} -> {many['memory_mb_after']:.0f} MB.",
    ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    parser.add_argument("--moves", type=int, default=200, help="of a slider (default 200)")
    parser.add_argument("--drag", type=float, default=5, help="seconds (default 5)")
    parser.add_argument("--crowd", type=float, default=30, help="seconds (default 30)")
    args = parser.parse_args(argv)
    if args.moves < 2:
        parser.error("--moves is at least 2.")
    with one_sentence(unwritten("The numbers")):
        result = {"machine": machine()} | bench_page(args.moves, args.drag, args.crowd)
        print(page_table(result))
        if args.json:
            write_json(result, args.json)


if __name__ == "__main__":
    main()
