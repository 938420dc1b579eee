"""How fast the page starts, weights travel, processes share a CPU, and how the page bears a crowd.

    python -m bench.scale                 # all four
    python -m bench.scale start crowd --json scale.json

Run it with nothing else running. The Hub is a stand-in on this machine (support/hub.py).
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import psutil
from PIL import Image

from hub import sha256
from model import PRESETS
from model.files import write_whole

from .support.hub import Loopback
from .support.machine import cores_here
from .support.servers import ROOT, free_port, serving

QUIET = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
FIRST_DOG = """
import time, os, sys
import app
studio = app.Studio(app.open_weights(app.WEIGHTS), app.DogFinder())
studio.draw(studio.sample(1, 1.0, 7))
print(studio.vae.source)
"""


STEPS = """
import sys, time
from training.trainer import Trainer
from training.config import TrainConfig
folder, seconds = sys.argv[1], float(sys.argv[2])
run = Trainer(TrainConfig(data=f"{folder}/pictures", out=folder, images=10_000_000))
for _ in range(3):
    run.step()
began, first, run.minutes = time.monotonic(), run.images, 0.0
while run.minutes * 60 < seconds:
    run.step()
    run.agree((time.monotonic() - began) / 60)
if run.accelerator.is_main_process:
    print(run.accelerator.num_processes, (run.images - first) / (time.monotonic() - began))
run.accelerator.end_training()
"""


def run(*command, **env) -> tuple[float, str]:
    """Runs Python with these arguments. Returns the seconds that it took, and what it printed."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, env=os.environ | QUIET | env, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr.strip().splitlines()[-1])
    return time.monotonic() - began, done.stdout.strip()


@contextlib.contextmanager
def loopback():
    """A local Hub, and the environment variables that make the client use it as the real one."""
    with tempfile.TemporaryDirectory() as home:
        server = Loopback(free_port())
        yield server, {"HF_ENDPOINT": server.url, "HF_HOME": home, "HF_TOKEN": "hf_writer"}
        server.server.should_exit = True


def bench_start(args) -> dict:
    """Seconds from starting Python to the first dog, including torch's import: median of several starts."""

    def start(**env) -> dict:
        taken = [run("-c", FIRST_DOG, **env) for _ in range(args.times)]
        return {"seconds": statistics.median(seconds for seconds, _ in taken), "source": taken[-1][1]}

    with loopback() as (server, env):
        run("-m", "training.push", "--weights", "weights/dogvae", "--repo", "ann/dogs", **env)
        asked = env | {"WEIGHTS": "ann/dogs"}
        result = {"embedded": start(WEIGHTS=""), "fetched from the Hub": start(**asked)}
        no_network = asked | {"HF_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
        result["cached, no network"] = start(**no_network)
        server.fault = "never"
        with tempfile.TemporaryDirectory() as empty:
            result["a network that never answers, nothing cached"] = start(**asked | {"HF_HOME": empty})
    return result


def bench_hub(args) -> dict:
    """Seconds to push 35 MB and to load them back, without the imports."""
    timed = "import time, sys; began = time.monotonic(); {call}; print('took', time.monotonic() - began, {result})"
    push = timed.format(call="push.main(sys.argv[1:])", result="''")
    load = timed.format(call="vae = load('ann/dogs')", result="vae.weights_id")
    with loopback() as (_, env):
        arguments = ["--weights", "weights/dogvae", "--repo", "ann/dogs"]
        pushed = run("-c", f"from training import push; {push}", *arguments, **env)[1].split()
        loaded = run("-c", f"from model import load; {load}", **env)[1].split()
    same = loaded[-1] == sha256(ROOT / "weights/dogvae/model.safetensors")[:12]
    return {"push": float(pushed[-1]), "load": float(loaded[-2]), "bit_identical": same}


def bench_processes(args) -> dict:
    """Images a second that one process trains on with all cores, and two that share them, at the same batch size."""
    cores = cores_here()
    rates = []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pictures").mkdir()
        side = PRESETS["dogvae"].image_size
        for i in range(32):
            Image.effect_noise((side, side), 80).convert("RGB").save(f"{folder}/pictures/{i}.png")
        (Path(folder) / "steps.py").write_text(STEPS, encoding="utf-8")
        for count in (1, 2):
            torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", count]
            env = {"ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(ROOT)}
            env["OMP_NUM_THREADS"] = str(max(1, cores // count))
            _, said = run(*torchrun, f"{folder}/steps.py", folder, args.training_seconds, **env)
            processes, rate = said.split()
            assert int(processes) == count
            rates.append(float(rate))
    return {"one_process": rates[0], "two_processes": rates[1], "ratio": rates[1] / rates[0]}


def bench_crowd(args) -> dict:
    """Several API clients ask at once, each for one dog after the other. Measures latency, answers and memory."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder, serving([sys.executable, "app.py"], port, folder, WEIGHTS="") as page:
        ask(url, 0)
        memory, until = [psutil.Process(page.pid).memory_info().rss / 1e6], time.monotonic() + args.seconds
        with concurrent.futures.ThreadPoolExecutor(args.clients) as pool:
            clients = [pool.submit(client, url, i, until) for i in range(args.clients)]
            while time.monotonic() < until:
                time.sleep(min(5, args.seconds))
                memory.append(psutil.Process(page.pid).memory_info().rss / 1e6)
            answers = [answer for one in clients for answer in one.result()]
    good = [seconds for seconds, kind in answers if kind == "dog"]
    kinds = Counter(kind for _, kind in answers)
    p95 = statistics.quantiles(good, n=20)[-1] if len(good) > 1 else None
    return {"clients": args.clients, "seconds": args.seconds, "answers": kinds, "p95_s": p95, "memory_mb": memory}


def client(url: str, seed: int, until: float) -> list[tuple[float, str]]:
    answers = []
    while time.monotonic() < until:
        began = time.monotonic()
        kind = ask(url, seed)
        answers.append((time.monotonic() - began, kind))
        if kind == "busy":
            time.sleep(0.5)  # a good client waits before it asks again
    return answers


def ask(url: str, seed: int) -> str:
    """Asks for one dog over HTTP, as curl would. Returns "dog", "busy", "5xx" or another error."""
    try:
        body = json.dumps({"data": [seed, 1.0, 1]}).encode()
        headers = {"Content-Type": "application/json"}
        posted = urllib.request.Request(f"{url}/gradio_api/call/sample", body, headers)
        with urllib.request.urlopen(posted, timeout=120) as response:
            event = json.load(response)["event_id"]
        with urllib.request.urlopen(f"{url}/gradio_api/call/sample/{event}", timeout=120) as response:
            text = response.read().decode()
    except urllib.error.HTTPError as error:
        return "busy" if error.code in (429, 503) else f"{error.code // 100}xx"
    except OSError as error:
        return type(error).__name__
    if "event: complete" in text:
        return "dog"
    return "busy" if "try again" in text or "Queue is full" in text else "error"


PARTS = {"start": bench_start, "hub": bench_hub, "processes": bench_processes, "crowd": bench_crowd}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--times", type=int, default=3, help="starts that each figure is the median of (default 3)")
    parser.add_argument("--training-seconds", type=float, default=30, help="by each number of processes (default 30)")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60, help="of the crowd (default 60)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    args = parser.parse_args(argv)
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"There is no part {', '.join(sorted(unknown))}.")
    result: dict = {"load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None}
    for name in args.parts or PARTS:
        result[name] = PARTS[name](args)
        print(name, json.dumps(result[name], indent=2), sep=": ", flush=True)
    if args.json:
        write_whole(args.json, (json.dumps(result, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
