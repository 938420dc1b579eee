"""How fast the page is, in a real browser: `python -m bench.page`.

Headless Chromium, the app in a process of its own with the embedded weights, and beside it a page of stock
Gradio parts (bench/stock.py: gr.Slider -> gr.Image) with the same model.
"""

import argparse
import gzip
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import psutil

from model.errors import PlainError
from model.files import write_whole
from training.command import one_sentence, unwritten
from training.tables import table

from .support.machine import machine
from .support.servers import ROOT, find_browser, free_port, serving
from .support.slow import SlowNetwork
from .support.visitors import alike, pad_protocol

ROUND_TRIP = 0.150  # seconds, of a slow network

# What the harness knows in the page: each new picture, and the input event whose numbers it shows.
HARNESS = """
window.bench = { pictures: [], made: new Map(), lastInput: 0 };
const plainFetch = window.fetch;
window.fetch = async (...all) => {
  const asked = bench.lastInput, answer = await plainFetch(...all);
  if (String(all[0]).includes("component_server"))
    answer.clone().json().then((body) => body?.picture && bench.made.set(body.picture, asked), () => {});
  return answer;
};
// A frame after the next one begins, the picture has been painted.
const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
bench.start = (image, input) => {
  const watch = () => new MutationObserver(async () => {
    const node = document.querySelector(image);
    if (!node || node.src === bench.seen) return;
    const src = bench.seen = node.src;
    await node.decode().catch(() => {});
    await painted();
    const late = bench.made.get(src) < bench.lastInput; // the picture of an earlier move
    if (bench.next && !late) { bench.next(); bench.next = null; }
    bench.pictures.push({ at: performance.now(), age: performance.now() - bench.made.get(src) });
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["src"] });
  bench.seen = document.querySelector(image)?.src;
  bench.input = document.querySelector(input);
  watch();
};
bench.move = (value) => {
  const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
  set.call(bench.input, value);
  bench.lastInput = performance.now();
  bench.input.dispatchEvent(new Event("input", { bubbles: true }));
};
bench.one = async (value) => {
  const began = performance.now(), next = new Promise((done) => { bench.next = done; });
  bench.move(value);
  await Promise.race([next, new Promise((done) => setTimeout(done, 10000))]);
  return performance.now() - began;
};
bench.drag = (seconds) => new Promise((done) => {
  const began = performance.now();
  bench.pictures = [];
  const step = (now) => {
    const t = (now - began) / 1000;
    if (t >= seconds) return done(bench.pictures.filter((p) => p.at <= began + 1000 * seconds));
    bench.move((3 * Math.sin(2 * Math.PI * t / 2.5)).toFixed(2));
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
});
"""
PAD = ("#dog img", "#latents input[type=range]")
STOCK = ("#picture img", "#direction input[type=range]")


def measure(browser, url: str, parts: tuple[str, str], moves: int, seconds: float) -> dict:
    """From an input event to the painted picture, one by one; then pictures while dragging."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.add_init_script(HARNESS)
    page.goto(url)
    for part in parts:
        page.wait_for_selector(part, timeout=60_000)
    page.wait_for_timeout(1500)  # what a page does after it has loaded
    page.evaluate("parts => bench.start(...parts)", list(parts))
    values = [round(3 * random.Random(i).uniform(-1, 1), 2) for i in range(moves + 10)]
    times = [page.evaluate("value => bench.one(value)", value) for value in values][10:]
    drawn = page.evaluate("seconds => bench.drag(seconds)", seconds)
    ages = [p["age"] for p in drawn if p["age"] is not None and p["age"] == p["age"]]
    result = {
        "median_ms": statistics.median(times),
        "p95_ms": statistics.quantiles(times, n=20)[-1],
        "pictures_per_second": len(drawn) / seconds,
        "median_age_ms": statistics.median(ages) if ages else None,
    }
    if parts is PAD:
        result["last_one_right"] = last_one_right(page, url)
    page.close()
    return result


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
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.add_init_script(HARNESS)
    page.goto(url)
    page.wait_for_selector(PAD[1], timeout=60_000)
    page.evaluate("parts => bench.start(...parts)", list(PAD))
    command = [sys.executable, "-m", "bench.support.visitors", url, str(seconds)]
    visitors = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    drawn = page.evaluate("seconds => bench.drag(seconds)", seconds)
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
            result = {"load": first_load(browser, url), "pad": measure(browser, url, PAD, moves, drag_seconds)}
            with SlowNetwork(ports[0], ROUND_TRIP / 2) as slow:
                result["slow"] = measure(browser, f"{here}:{slow.port}", PAD, max(5, moves // 10), drag_seconds)
            result["crowd"] = crowd(browser, url, app, crowd_seconds)
        with serving([sys.executable, "-m", "bench.stock", str(ports[1])], ports[1], folder):
            result["stock"] = measure(browser, f"{here}:{ports[1]}", STOCK, moves, drag_seconds)
        browser.close()
    result["ratio"] = result["stock"]["median_ms"] / result["pad"]["median_ms"]
    return result


def page_table(result: dict) -> str:
    """The same as Markdown."""
    columns = ["page", "input to painted picture, median (p95) ms", "pictures a second, dragging", "age ms"]
    names = {"pad": "DogVAE", "slow": "DogVAE, 150 ms round trip added", "stock": "gr.Slider -> gr.Image, same model"}
    yes = {True: "yes", False: "NO", None: ""}
    rows = []
    for key, name in names.items():
        r = result[key]
        age = "" if r["median_age_ms"] is None else f"{r['median_age_ms']:.0f}"
        time = f"{r['median_ms']:.0f} ({r['p95_ms']:.0f})"
        rows.append([name, time, f"{r['pictures_per_second']:.1f}", age, yes[r.get("last_one_right")]])
    lines = table([*columns, "last one right"], rows)
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
            args.json.parent.mkdir(parents=True, exist_ok=True)
            write_whole(args.json, (json.dumps(result, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
