"""How fast the page is, in a real browser: `python -m bench.page`.

Uses headless Chromium. The app runs in its own process with the embedded weights. For comparison, a page of stock
Gradio parts (bench/stock.py: gr.Slider -> gr.Image) is measured with the same model.
"""

import argparse
import gzip
import json
import math
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx

from model.errors import PlainError
from training.command import one_sentence, unwritten
from training.tables import table, write_json

from .support.machine import machine
from .support.servers import ROOT, find_browser, free_port, serving
from .support.slow import SlowNetwork
from .support.visitors import alike, pad_protocol

ROUND_TRIP = 0.150  # seconds, on the slow network
# Seconds to drag a slider to and fro. In fast drags the page asks for half-size pictures, in slow ones for whole.
FAST_S, SLOWLY_S = 2.5, 12.0

# Script for the page. It records the last pointer event, and for each new picture the time of each stage.
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
  if (number) await answer.clone().json().then(keep, () => {}); // before the page shows it
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
    const moving = bench.made.has(src) && !src.startsWith("data:image/png"), pixels = node.naturalWidth;
    bench.pictures.push({ ...asked, at, age: at - asked.input, moving, pixels });
    if (!moving && bench.rests) bench.rests(at - bench.input);
    if (bench.next && asked.input >= bench.after) bench.next(at - asked.input);
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["src"] });
};
// The time from the next pointer event to its painted picture.
bench.expect = () => {
  bench.after = performance.now();
  const late = new Promise((done) => setTimeout(() => done(10000), 10000));
  bench.told = Promise.race([late, new Promise((done) => { bench.next = done; })]);
  bench.rested = Promise.race([late, new Promise((done) => { bench.rests = done; })]);
};
"""
PAD = ("#dog img", "#latents input[type=range]")
STOCK = ("#picture img", "#direction input[type=range]")


def measure(browser, url: str, parts: tuple[str, str], moves: int, seconds: float, channel: bool = True) -> dict:
    """Times from a pointer event to the painted picture, one by one; then counts pictures in fast and slow drags.

    channel: False hides the browser's WebSocket, so the page posts its moves instead.
    """
    page = opened(browser, url, parts, channel)
    page.wait_for_timeout(1500)  # for the work that a page does after it has loaded
    place = Slider(page, parts[1])
    rng, times = random.Random(0), []
    for _ in range(moves + 10):
        page.evaluate("bench.expect()")
        place.move(rng.random())
        times.append(page.evaluate("bench.told"))
    result: dict = {"median_ms": statistics.median(times[10:]), "p95_ms": statistics.quantiles(times[10:], n=20)[-1]}
    fast = dragged(page, place, seconds, FAST_S)
    moved = fast.pop("drawn")
    result |= fast
    if parts is PAD:
        slowly = dragged(page, place, seconds, SLOWLY_S)
        result["slowly"] = {key: slowly[key] for key in ("pictures_per_second", "median_age_ms")}
        drawn = [p for p in moved + slowly["drawn"] if p["moving"] and p.get("took")]
        sizes = sorted({p["pixels"] for p in drawn})
        result["stages_ms"] = {size: stages([p for p in drawn if p["pixels"] == size]) for size in sizes}
        result["rest_ms"] = statistics.median(at_rest(page, place, rng) for _ in range(max(3, moves // 10)))
    place.let_go()
    if parts is PAD:
        result["last_one_right"] = last_one_right(page, url)
    page.close()
    return result


def dragged(page, place: "Slider", seconds: float, period: float) -> dict:
    """Counts pictures painted while the slider is dragged to and fro. period: seconds for once to and fro."""
    page.evaluate("bench.pictures = []")
    place.drag(seconds, period)
    drawn = page.evaluate("bench.pictures")
    age = statistics.median(p["age"] for p in drawn) if drawn else None
    return {"pictures_per_second": len(drawn) / seconds, "median_age_ms": age, "drawn": drawn}


def at_rest(page, place: "Slider", rng: random.Random) -> float:
    """Milliseconds from the last pointer event until the lossless picture is painted."""
    page.wait_for_function("document.querySelector('#dog img').src.startsWith('data:image/png')", timeout=20_000)
    page.evaluate("bench.expect()")
    place.move(rng.random())
    return page.evaluate("bench.rested")


def opened(browser, url: str, parts: tuple[str, str], channel: bool = True):
    """Opens the page with the harness in it."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.add_init_script(HARNESS.replace("BENCH_CHANNEL", json.dumps(channel)))
    page.goto(url)
    for part in parts:
        page.wait_for_selector(part, timeout=60_000)
    if parts is PAD:
        page.click("[data-kind=all]")  # the first slider is then the latent's first coordinate
    page.evaluate("picture => bench.start(picture)", parts[0])
    return page


class Slider:
    """A slider that the mouse holds with its button pressed."""

    def __init__(self, page, selector: str):
        self.page, track = page, page.locator(selector).first.bounding_box()
        self.left, self.width, self.y = track["x"] + 10, track["width"] - 20, track["y"] + track["height"] / 2
        page.mouse.move(self.left + self.width / 2, self.y)
        page.mouse.down()

    def move(self, share: float) -> None:
        self.page.mouse.move(self.left + share * self.width, self.y)

    def drag(self, seconds: float, period: float) -> None:
        """Moves to and fro with 60 events a second. period: seconds for once to and fro."""
        began = time.perf_counter()
        while (passed := time.perf_counter() - began) < seconds:
            self.move(0.5 + 0.5 * math.sin(2 * math.pi * passed / period))
            time.sleep(max(0, 1 / 60 - (time.perf_counter() - began - passed)))

    def let_go(self) -> None:
        self.page.mouse.up()


STAGES = {
    "until it is sent": lambda p: p["sent"] - p["input"],
    "network": lambda p: p["came"] - p["sent"] - p["took"],
    "queue": lambda p: p["took"] - p["decoding"] - p["encoding"],
    "decode": lambda p: p["decoding"],
    "encode": lambda p: p["encoding"],
    "wait for the frame": lambda p: p["at"] - p["came"],
}


def stages(drawn: list[dict]) -> dict[str, float]:
    """Median milliseconds that pictures of moves spent in each stage."""
    return {name: statistics.median(map(spent, drawn)) for name, spent in STAGES.items()}


def last_one_right(page, url: str) -> bool:
    """Whether the final picture is the one that the server draws for the slider's last value."""
    page.wait_for_timeout(1000)
    page.wait_for_function("document.querySelector('#dog img').src.startsWith('data:image/png')", timeout=20_000)
    address, pad, first = pad_protocol(url)
    values = [float(page.input_value(PAD[1] + " >> nth=0")), *first[1:]]
    data = {"page": "bench", "number": 1, "space": "directions", "values": values, "still": True}
    body = {"data": data, "component_id": pad, "fn_name": "move", "session_hash": "bench"}
    asked = httpx.post(address, json=body, timeout=60).json()["picture"]
    return alike(asked, page.get_attribute("#dog img", "src"))


def first_load(browser, url: str) -> dict:
    """First visit with an empty cache: seconds until the sliders are there, and kilobytes transferred."""
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


def bench_page(moves: int, drag_seconds: float) -> dict:
    """All measurements. Raises PlainError if playwright is not installed."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise PlainError("The page is measured in a browser: pip install -r tests/requirements.txt first.") from None
    ports, here = [free_port(), free_port()], "http://127.0.0.1"
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox", "--disable-gpu"])
        with serving([sys.executable, "app.py"], ports[0], folder):
            url = f"{here}:{ports[0]}"
            result = {"load": first_load(browser, url)}
            with SlowNetwork(ports[0], ROUND_TRIP / 2) as slow:
                for name, channel in (("channel", True), ("post", False)):
                    result[name] = measure(browser, url, PAD, moves, drag_seconds, channel)
                    far = f"{here}:{slow.port}"
                    result[f"slow {name}"] = measure(browser, far, PAD, max(5, moves // 10), drag_seconds, channel)
        with serving([sys.executable, "-m", "bench.stock", str(ports[1])], ports[1], folder):
            result["stock"] = measure(browser, f"{here}:{ports[1]}", STOCK, moves, drag_seconds)
        browser.close()
    result["ratio"] = result["stock"]["median_ms"] / result["channel"]["median_ms"]
    return result


def page_table(result: dict) -> str:
    """The measurements as Markdown."""
    columns = ["page", "pointer event to painted picture, median (p95) ms", "pictures a second, dragging fast"]
    columns += ["their age ms", "dragging slowly", "their age ms", "lossless at rest, ms", "last one right"]
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
        rests = f"{r['rest_ms']:.0f}" if "rest_ms" in r else ""
        time = f"{r['median_ms']:.0f} ({r['p95_ms']:.0f})"
        rows.append([name, time, *flow(r), *flow(r.get("slowly")), rests, yes[r.get("last_one_right")]])
    lines = table(columns, rows)
    spent = [
        [names[key], f"{size}", *(f"{ms:.1f}" for ms in parts.values())]
        for key in names
        for size, parts in result[key].get("stages_ms", {}).items()
    ]
    lines += ["", *table(["ms", "pixels", *STAGES], spent)]
    load = result["load"]
    lines += [
        "",
        f"The stock page takes {result['ratio']:.1f} times as long.",
        f"First load: usable {load['usable_seconds']:.1f} s after the server answers; {load['document_kb']:.0f} kB of "
        f"document on the wire; our own parts {load['own_parts_kb']:.0f} kB, {load['own_parts_compressed_kb']:.0f} kB "
        "compressed.",
    ]
    return "\n".join(lines)


def flow(dragging: dict | None) -> list[str]:
    """Table cells: pictures a second, and their median age in ms."""
    if dragging is None or dragging["median_age_ms"] is None:
        return ["", ""]
    return [f"{dragging['pictures_per_second']:.1f}", f"{dragging['median_age_ms']:.0f}"]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    parser.add_argument("--moves", type=int, default=200, help="of a slider (default 200)")
    parser.add_argument("--drag", type=float, default=5, help="seconds (default 5)")
    args = parser.parse_args(argv)
    if args.moves < 2:
        parser.error("--moves is at least 2.")
    with one_sentence(unwritten("The numbers")):
        result = {"machine": machine()} | bench_page(args.moves, args.drag)
        print(page_table(result))
        if args.json:
            write_json(result, args.json)


if __name__ == "__main__":
    main()
