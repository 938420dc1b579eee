"""Train a model on a folder of pictures.

    python -m training.train --preset dogvae --data ../shared/data/heads --out runs/dogvae --images 250000

OUT holds at every tick: config.json, model.safetensors and latents.safetensors (the EMA, fp16: give OUT
to `load` or to WEIGHTS=), checkpoint.safetensors (for --resume), log.jsonl, and grids/ of pictures.
Several GPUs: `accelerate launch -m training.train ...`. Several processes on a CPU, as in the tests:
`ACCELERATE_USE_CPU=true torchrun --nproc-per-node 2 -m training.train ...`. The same file (docs/scaling.md).
"""

import argparse
import math
import os
import signal
import sys
import time
from pathlib import Path

from tqdm import tqdm

from model import PRESETS, WeightsError, load

from .checkpoint import CheckpointError
from .data.folder import DataError
from .fit import fit_latents
from .pictures import save_loss_curve
from .processes import is_main
from .run import Run, TrainingError


def train(run: Run) -> None:
    """The loop: steps, a log line every 1,000 images or so, a tick of pictures and a checkpoint."""
    args, accelerator = run.args, run.accelerator
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: setattr(run, "asked_to_stop", True))
    writer = tensorboard(run.out) if accelerator.is_main_process else None
    unit = {"total": args.images} if args.images else {"total": None}
    bar = tqdm(initial=run.images, unit=" images", disable=not accelerator.is_main_process, smoothing=0.05, **unit)
    began, sums, counted, tick = time.monotonic(), {}, 0, run.images // args.tick
    before = run.minutes
    logged, logged_at = run.images, began
    with bar:
        while not run.done() and not run.stopping:
            parts = run.step()
            run.agree(before + (time.monotonic() - began) / 60)
            bar.update(run.batch)
            if not args.images:
                bar.set_postfix_str(f"{max(args.minutes - run.minutes, 0):.1f} min left", refresh=False)
                run.total = max(int(run.images / run.minutes * args.minutes), run.batch)
            if parts:
                sums = {k: sums.get(k, 0.0) + v for k, v in parts.items()}
                counted += 1
            if counted and (run.images - logged >= 1000 or run.done()):
                now = time.monotonic()
                rate = (run.images - logged) / (now - logged_at)
                loss = {k: v / counted for k, v in sums.items()}
                line = {"images": run.images, "minutes": round(run.minutes, 3), "images_per_second": round(rate, 2)}
                line |= {"processes": accelerator.num_processes, "lr": run.learning_rate(), "loss": loss}
                run.log(line | {"skipped_steps": run.skipped_steps})
                if writer:
                    for key, value in loss.items():
                        writer.add_scalar(key, value, run.images)
                sums, counted, logged, logged_at = {}, 0, run.images, now
            if run.images // args.tick > tick:
                tick = run.images // args.tick
                run.show()
                run.save()
    run.save()
    if run.stopping:
        if accelerator.is_main_process:
            print(f"Stopped at {run.images} images and saved; --resume goes on from here.", file=sys.stderr)
        sys.exit(130)
    if accelerator.is_main_process:
        run.show()
        finish(run)
    accelerator.end_training()


def finish(run: Run) -> None:
    """Fits the latents on all training pictures and leaves a folder that `load` takes."""
    print("Fitting the latents ...")
    vae = load(run.out, device=str(run.accelerator.device))
    vae.latents = fit_latents(vae, type(run.train)(run.train.pixels[: run.upright], []))
    vae.latents.save(run.out / "latents.safetensors")
    save_loss_curve(run.out / "log.jsonl", run.out / "loss.png")
    print(f"Done: {run.images} images in {run.minutes:.1f} minutes, {run.skipped_steps} steps skipped -> {run.out}")


def tensorboard(out: Path):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # not installed: log.jsonl says the same
        return None
    return SummaryWriter(out / "tensorboard")


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=list(PRESETS), default="dogvae")
    parser.add_argument("--data", required=True, help="a folder of pictures, or one with train/ and val/ in it")
    streamed = "read DATA as it goes, not into memory; it may also be *.tar shards, or user/name on the Hub"
    parser.add_argument("--stream", action="store_true", help=streamed)
    parser.add_argument("--out", required=True, help="the run's folder; made if it is not there")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--images", type=int, help="stop after so many training images")
    length.add_argument("--minutes", type=float, help="stop after so many minutes; the schedule follows the pace")
    parser.add_argument("--resume", action="store_true", help="go on from OUT's checkpoint")
    parser.add_argument("--init-from", help="start from the weights in this folder; with --realism 1 sharpen them on")
    share = "of the images, the last ones, for the second phase (0 to 1; default: 0.5 for dogvae)"
    parser.add_argument("--realism", type=float, metavar="SHARE", help=share)
    parser.add_argument("--tick", type=int, default=10_000, help="images between checkpoints (default 10000)")
    parser.add_argument("--precision", choices=["auto", "no", "bf16", "fp16"], default="auto")
    parser.add_argument("--batch", type=int, help="images an update, over all processes (default: the preset's)")
    parser.add_argument("--accumulate", type=int, default=1, help="parts of a process's share, one after the other")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    length = args.minutes if args.images is None else args.images
    if not 0 < length < math.inf or args.tick <= 0:
        parser.error("--images, --minutes and --tick are above 0.")
    if args.accumulate <= 0 or (args.batch is not None and args.batch <= 0):
        parser.error("--batch and --accumulate are above 0.")
    if args.realism is not None and not 0 <= args.realism <= 1:
        parser.error("--realism is a share from 0 to 1.")
    if not 0 <= args.seed < 2**32:
        parser.error("--seed is a whole number from 0 to 4294967295.")
    return args


def main(argv: list[str] | None = None) -> None:
    args, run = parse(argv), None
    try:
        Path(args.out).mkdir(parents=True, exist_ok=True)
        run = Run(args)
        train(run)
    except (DataError, CheckpointError, WeightsError, TrainingError) as error:
        give_up(str(error))
    except KeyboardInterrupt:  # before the loop; train() catches it within
        give_up("Stopped before training began.")
    except OSError as error:  # a full disk, a folder that is not ours
        give_up(f"The run can't go on: {error.filename or args.out}: {error.strerror or error}.")
    except RuntimeError as error:
        if not run or run.accelerator.num_processes == 1:
            raise
        first = str(error).splitlines()[0]
        sentence = f"A process of this run is gone ({first}); --resume goes on from the last checkpoint."
        print(sentence, file=sys.stderr, flush=True)
        os._exit(1)  # an orderly end would wait for the one that is gone
    finally:
        skipped = run.train.skipped + run.val.skipped if run and is_main() else []
        if skipped:
            print(f"{len(skipped)} pictures could not be read:", *skipped, sep="\n  ", file=sys.stderr)


def give_up(sentence: str) -> None:
    sys.exit(sentence if is_main() else 1)


if __name__ == "__main__":
    main()
