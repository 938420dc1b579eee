"""Several processes together train a model as one process does."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from model import load
from tests.support.running import arguments, fails, finished, phases, start
from tests.support.tiny import ROOT
from training.checkpoint import NAME, read_facts

CPU = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}


def start_several(module: str, *args, count: int = 2, **options) -> subprocess.Popen:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    spoken = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": CPU}
    return subprocess.Popen([*torchrun, "-m", module, *map(str, args)], cwd=ROOT, **spoken | options)


def ended(process: subprocess.Popen) -> tuple[int, str]:
    _, errors = process.communicate(timeout=300)
    return process.returncode, errors


def first_step(folder: Path, data: Path, count: int, *more) -> list[tuple[dict, dict]]:
    """(gradients, facts) of each process after one step."""
    folder.mkdir()
    args = (folder, *arguments(folder / "run", data, *more))
    (folder / "run").mkdir()
    status, errors = ended(start_several("tests.support.gradients", *args, count=count))
    assert status == 0, errors
    seen = []
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            seen.append((load_file(path), json.loads(file.metadata()["facts"])))
    return seen


def test_gradients_are_those_of_one_process(tmp_path, drawn):
    ((alone, facts),) = first_step(tmp_path / "one", drawn, 1)
    assert facts["processes"] == 1 and facts["taken"] == list(range(8))
    for name, more in (("two", []), ("two in parts", ["--accumulate", 2])):
        several = first_step(tmp_path / name, drawn, 2, *more)
        assert [facts["processes"] for _, facts in several] == [2, 2] and len({f["pid"] for _, f in several}) == 2
        taken = [n for _, facts in several for n in facts["taken"]]
        assert sorted(taken) == list(range(8)), "no sample twice, none missing"
        for gradients, _ in several:
            assert gradients.keys() == alone.keys()
            for key, value in gradients.items():
                torch.testing.assert_close(value, alone[key], atol=1e-5, rtol=1e-3, msg=f"{name}: {key}")


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"]["l1"] for line in (out / "log.jsonl").read_text().splitlines()]


def test_two_processes_train_as_one(tmp_path, drawn):
    ends = []
    for count in (1, 2):
        out = tmp_path / str(count)
        more = ["--batch", 16, "--tick", 10_000]
        args = arguments(out, drawn, *more, images=2000)
        status, errors = ended(start_several("tests.support.tiny", *args, count=count))
        assert status == 0, errors
        lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        assert {line["processes"] for line in lines} == {count}
        assert lines[-1]["images"] == 2000 and len({line["images"] for line in lines}) == len(lines), "one writer"
        assert load(out).latents is not None
        ends.append(losses(out))
    # Sums in another order part two runs a little more with every step. The test above compares the gradients of one.
    assert ends[1] == pytest.approx(ends[0], rel=0.15)
    assert ends[0][-1] < ends[0][0]


def test_both_phases_by_the_clock(tmp_path, drawn):
    args = arguments(tmp_path / "run", drawn, "--minutes", 0.25, *phases("tiny"), images=None)
    status, errors = ended(start_several("tests.support.tiny", *args, env=CPU | {"STEP_SECONDS": "0.5"}))
    assert status == 0, errors
    facts = read_facts(tmp_path / "run")
    assert facts["minutes"] == 0.25 and facts["images"] == 30 * 8, "both processes go by one clock"
    assert facts["phase"] == "realism" and facts["phase_from"] == 15 * 8
    assert load(tmp_path / "run").latents is not None


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_is_gone_ends_the_run_and_one_process_goes_on(tmp_path, drawn, whole_runs, kind):
    out = tmp_path / "run"
    args = arguments(out, drawn, *phases("tiny"), images=100_000)
    process = start_several("tests.support.tiny", *args)
    while not (out / NAME).exists() or read_facts(out)["images"] < 64:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    workers = [child for child in children if "tests.support.tiny" in child.cmdline()]
    second = next(worker for worker in workers if worker.environ().get("RANK") == "1")
    assert len(workers) == 2
    second.send_signal(kind)
    status, errors = ended(process)
    assert status != 0
    assert ("process of this run is gone" if kind == signal.SIGKILL else "images and saved") in errors, errors
    assert not any(worker.is_running() for worker in workers)
    assert load(out) and not list(out.rglob("*.part"))

    images = read_facts(out)["images"] + 64
    status, errors = finished(start(*arguments(out, drawn, "--resume", images=images)))
    assert status == 0, errors
    assert read_facts(out)["images"] == images


def test_a_batch_that_does_not_divide(tmp_path, drawn, in_process):
    assert "can't be shared" in fails(*arguments(tmp_path / "run", drawn, "--batch", 9, "--accumulate", 2))


def test_processes_that_would_train_alone(tmp_path, drawn):
    env = {key: value for key, value in CPU.items() if key != "ACCELERATE_USE_CPU"}
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    status, errors = ended(start_several("tests.support.tiny", *arguments(tmp_path / "run", drawn), env=env))
    assert status != 0 and "ACCELERATE_USE_CPU=true" in errors and not (tmp_path / "run" / NAME).exists()
