"""How fast this machine is, and how fast the models are on it.

    python -m bench --json bench.json

Run it with nothing else running: the load is printed beside the numbers. Models come from weights/. If one is
missing there, a freshly initialised one is measured, which takes the same time.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from model import PRESETS, DogFinder, DogVAE, load, open_photo
from model.packed import packed
from model.pretrained import cpu_has_bfloat16, save
from training.command import one_sentence, unwritten
from training.config import TrainConfig
from training.tables import table, write_json
from training.trainer import Trainer
from ui.frames import read_frame, write_frame
from ui.pad import Pad
from ui.studio import Studio
from ui.worker import Worker

from .support.line import frame
from .support.machine import DEVICE, machine
from .support.memory import FORGET

ROOT = Path(__file__).resolve().parent.parent
TRAINED = ("dogvae", "classic", "small")  # autoencoder trains like classic
MOVES = {"whole": {}, "half the size": {"half": True}, "at rest, lossless": {"still": True}}


def synchronize() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def matmul_peak(dtype: torch.dtype) -> float:
    """Highest speed of multiplying two square matrices, in GFLOP/s."""
    best = 0.0
    for side in (1024, 2048, 3072) if DEVICE == "cpu" else (4096, 8192):
        a, b = (torch.randn(side, side, device=DEVICE).to(dtype) for _ in range(2))
        for _ in range(6):
            synchronize()
            began = time.perf_counter()
            a @ b
            synchronize()
            best = max(best, 2 * side**3 / (time.perf_counter() - began) / 1e9)
    return best


def matmul_peaks() -> dict[str, float]:
    """dtype -> `matmul_peak`. bfloat16 only if the hardware computes in it: otherwise it would take minutes."""
    dtypes = [torch.float32, torch.bfloat16] if DEVICE == "cuda" or cpu_has_bfloat16() else [torch.float32]
    return {str(dtype).removeprefix("torch."): matmul_peak(dtype) for dtype in dtypes}


def latency(call, times: int) -> dict:
    """Milliseconds that a call takes: median and 95th percentile, after a warm-up."""
    milliseconds, warm = [], min(10, times)
    for i in range(times + warm):
        synchronize()
        began = time.perf_counter()
        call()
        synchronize()
        if i >= warm:
            milliseconds.append((time.perf_counter() - began) * 1e3)
    return {"median_ms": statistics.median(milliseconds), "p95_ms": statistics.quantiles(milliseconds, n=20)[-1]}


def inference(folder: Path, origin: str, times: int) -> dict:
    """Times encoding and decoding of one picture at a time, as the page does it."""
    vae = load(folder, latents=False)
    quick, size = packed(vae), vae.config.image_size
    x = torch.rand(1, 3, size, size) * 2 - 1
    z = torch.randn(1, vae.config.latent_dim)
    with FlopCounterMode(display=False) as counter:
        vae.decode(z)
    return {
        "weights": origin,
        "dtype": str(vae.dtype).removeprefix("torch."),
        "parameters_decoder": sum(p.numel() for p in vae.decoder.parameters()),
        "decode_gflop": counter.get_total_flops() / 1e9,
        "decode": latency(lambda: quick.decode(z), times),
        "encode": latency(lambda: vae.encode(x), times),
    }


def moves(times: int) -> dict:
    """Times a move at the server, from the page's frame to the answer's frame: the decode, and everything else.

    Call it before anything else that computes with torch. Each thread that does has its own team of threads; where
    these outnumber the cores, all are slow (app.py). The worker's team ends with it.
    """
    decoding, taken = [0.0], defaultdict(list)
    worker = Worker()
    pad = worker.pool.submit(lambda: Pad(Studio(load(ROOT / "weights" / "dogvae")), worker)).result()
    studio = pad.studio
    worker.pool.submit(studio.hasten).result()

    def timed(decode):
        def decoded(*args, **kwargs):
            began = time.perf_counter()
            x = decode(*args, **kwargs)
            decoding[0] = time.perf_counter() - began
            return x

        return decoded

    async def run() -> None:
        for i in range(times + 10):
            values = torch.randn(studio.dim).tolist()
            for name, flags in MOVES.items():
                asked, began = frame(i, values, studio.vae.weights_id, **flags), time.perf_counter()
                number, move = read_frame(asked)
                answer = await pad.moved({"page": name, "number": number} | move)
                write_frame(number, answer)
                if i >= 10:
                    taken[name].append([1e3 * decoding[0], 1e3 * (time.perf_counter() - began - decoding[0])])

    studio.decode, studio.decode_moving = timed(studio.decode), timed(studio.decode_moving)
    asyncio.run(run())
    worker.pool.shutdown()
    medians = {name: [statistics.median(times) for times in zip(*both)] for name, both in taken.items()}
    return {name: {"decode_ms": decode_ms, "else_ms": else_ms} for name, (decode_ms, else_ms) in medians.items()}


def training(preset: str, seconds: float, peaks: dict[str, float]) -> dict:
    """Times the real step of training.train on pictures of noise. peaks: the result of `matmul_peaks`."""
    side = PRESETS[preset].image_size
    with tempfile.TemporaryDirectory() as folder:
        for i in range(8):
            noise = torch.randint(0, 256, (side, side, 3), dtype=torch.uint8)
            Image.fromarray(noise.numpy()).save(f"{folder}/{i}.png")
        run = Trainer(TrainConfig(data=folder, out=f"{folder}/run", preset=preset, images=10_000_000))
    run.step()
    with FlopCounterMode(display=False) as counter:
        run.step()
    flops = counter.get_total_flops() / run.batch
    run.step()
    synchronize()
    began, steps = time.perf_counter(), 0
    while steps < 3 or time.perf_counter() - began < seconds:
        run.step()
        steps += 1
    synchronize()
    rate = steps * run.batch / (time.perf_counter() - began)
    peak = peaks["bfloat16" if run.accelerator.mixed_precision == "bf16" else "float32"]
    return {
        "batch": run.batch,
        "precision": run.accelerator.mixed_precision,
        "images_per_second": rate,
        "gflop_per_image": flops / 1e9,
        "gflop_per_second": rate * flops / 1e9,
        "share_of_peak": rate * flops / 1e9 / peak,
    }


RESIDENT = """
import sys, psutil, torch
from model import load
models = [load(folder, latents=False) for folder in sys.argv[1:]]
for vae in models:
    vae.decode(torch.zeros(1, vae.config.latent_dim))
    vae.encode(torch.zeros(1, 3, vae.config.image_size, vae.config.image_size))
print(psutil.Process().memory_info().rss / 1e6)
"""


PEAK = """
import sys, psutil
from pathlib import Path
from model import DogFinder, open_photo
from bench.support.memory import FORGET, peak_mb
finder = DogFinder()
finder.find(open_photo(sys.argv[2]))
idle = psutil.Process().memory_info().rss / 1e6
FORGET.write_text("5", encoding="utf-8")
finder.crop(open_photo(Path(sys.argv[1]).read_bytes()))
print(peak_mb() - idle)
"""


def photos(times: int) -> dict:
    """Times reading a 12-megapixel JPEG, finding the head, and both up to its square; measures memory above idle."""
    finder = DogFinder()
    with tempfile.TemporaryDirectory() as folder:
        large, small = f"{folder}/large.jpg", f"{folder}/small.jpg"
        dog = Image.open(ROOT / "assets" / "dog-1.png").convert("RGB")
        scene = Image.effect_noise((1000, 750), 60).convert("RGB")
        scene.paste(dog.resize((300, 300)), (400, 200))
        scene.save(small, quality=90)
        scene.resize((4000, 3000)).save(large, quality=90)
        data = Path(large).read_bytes()
        opened = open_photo(data)
        command, peak = [sys.executable, "-c", PEAK, large, small], None
        if FORGET.exists():
            peak = float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
        return {
            "megabytes": len(data) / 1e6,
            "decode": latency(lambda: open_photo(data), times),
            "find": latency(lambda: finder.find(opened), times),
            "bytes_to_crop": latency(lambda: finder.crop(open_photo(data)), times),
            "peak_mb_above_idle": peak,
        }


def resident_megabytes(folders: list[Path]) -> float:
    """Memory of a separate process that loads these models, then decodes and encodes once with each."""
    command = [sys.executable, "-c", RESIDENT, *map(str, folders)]
    return float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def bench(presets: list[str], times: int, seconds: float) -> dict:
    """All measurements, as --json writes them."""
    result: dict = {"machine": machine(), "moves": moves(times)}
    result |= {"matmul_peak_gflops": matmul_peaks(), "inference": {}, "training": {}}
    with tempfile.TemporaryDirectory() as fresh:
        folders = []
        for preset in presets:
            folder, origin = ROOT / "weights" / preset, f"weights/{preset}"
            if not (folder / "model.safetensors").is_file():
                folder, origin = Path(fresh) / preset, "freshly initialised"
                save(DogVAE(PRESETS[preset]), folder)
            folders.append(folder)
            result["inference"][preset] = inference(folder, origin, times)
        result["resident_mb"] = {presets[0]: resident_megabytes(folders[:1])}
        if len(presets) > 1:
            result["resident_mb"] |= {"all presets": resident_megabytes(folders)}
    result["photos"] = photos(times)
    for preset in [preset for preset in presets if preset in TRAINED]:
        result["training"][preset] = training(preset, seconds, result["matmul_peak_gflops"])
    return result


def report(result: dict) -> str:
    """The measurements as Markdown."""
    about, peaks, memory = result["machine"], result["matmul_peak_gflops"], result["resident_mb"]
    gpu = f", {about['gpu']}" if about["gpu"] else ""
    lines = [
        f"{about['cpu']}, {about['cores']} cores, {about['threads']} threads{gpu}, torch {about['torch']}, "
        f"load {about['load']}; matrix multiply at best "
        + ", ".join(f"{peak:.0f} GFLOP/s {dtype}" for dtype, peak in peaks.items())
        + ".",
        "",
        *inference_table(result["inference"]),
        "",
        *moves_table(result["moves"]),
        "",
        *training_table(result["training"]),
    ]
    photo = result["photos"]
    peak = photo["peak_mb_above_idle"]
    whole, decoded, found = (f"{photo[k]['median_ms']:.0f} ms" for k in ("bytes_to_crop", "decode", "find"))
    lines += [
        "",
        f"A photo of 12 megapixels, {photo['megabytes']:.1f} MB of JPEG: from bytes to crop {whole} (decoding "
        f"{decoded}, the finder {found})" + (f", at most {peak:.0f} MB above idle." if peak is not None else "."),
    ]
    written = ", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in memory.items())
    return "\n".join([*lines, "", f"Resident memory of a process that has loaded and used: {written}."])


def inference_table(measured: dict) -> list[str]:
    columns = ["one picture at a time", "weights", "precision", "decode, median (p95) ms", "encode, median (p95) ms"]
    rows = []
    for preset, r in measured.items():
        times = (f"{r[k]['median_ms']:.1f} ({r[k]['p95_ms']:.1f})" for k in ("decode", "encode"))
        rows.append([preset, r["weights"], r["dtype"], *times])
    return table(columns, rows)


def moves_table(measured: dict) -> list[str]:
    rows = [[name, f"{r['decode_ms']:.1f}", f"{r['else_ms']:.2f}"] for name, r in measured.items()]
    return table(["a move at the server", "decode, median ms", "all else, median ms"], rows)


def training_table(measured: dict) -> list[str]:
    columns = ["training", "batch", "precision", "images a second", "GFLOP an image", "GFLOP/s", "share of peak"]
    rows = []
    for preset, r in measured.items():
        rate = [f"{r['images_per_second']:.1f}", f"{r['gflop_per_image']:.2f}", f"{r['gflop_per_second']:.0f}"]
        rows.append([preset, str(r["batch"]), r["precision"], *rate, f"{r['share_of_peak']:.0%}"])
    return table(columns, rows)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    shown = [preset for preset in PRESETS if (ROOT / "weights" / preset).is_dir()]
    parser.add_argument("--presets", nargs="+", choices=list(PRESETS), default=shown, help="default: those embedded")
    parser.add_argument("--times", type=int, default=50, help="calls that each latency is the median of (default 50)")
    parser.add_argument("--seconds", type=float, default=15, help="of training steps for each preset (default 15)")
    args = parser.parse_args(argv)
    if args.times < 2:
        parser.error("--times is at least 2.")
    with one_sentence(unwritten("The numbers")):
        result = bench(args.presets, args.times, args.seconds)
        print(report(result))
        if args.json:
            write_json(result, args.json)


if __name__ == "__main__":
    main()
