"""What stops a run, and who says so."""

import signal

import pytest
import torch

from tests.support.running import arguments, fails
from training.checkpoint import read_facts
from training.data.walk import DataError
from training.processes import one_of_several
from training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("in_process")


def test_a_price_of_zero_is_not_for_dogvae(tmp_path, drawn):
    assert "at a price of KL above 0" in fails(*arguments(tmp_path / "run", drawn, "--kl", 0))


def test_ctrl_c_is_taken_during_the_loop_only(tmp_path, drawn, monkeypatch):
    def taken(run):
        assert signal.getsignal(signal.SIGINT) is before
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Trainer, "show", taken)
    assert fails(*arguments(tmp_path / "run", drawn, images=8)) == (
        "Stopped before the latents were fitted; --resume fits them."
    )
    assert signal.getsignal(signal.SIGINT) is before and read_facts(tmp_path / "run")["images"] == 8


def test_a_batch_that_the_gpu_can_not_hold(tmp_path, drawn, monkeypatch):
    def step(run):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB")

    monkeypatch.setattr(Trainer, "step", step)
    assert "choose a larger --accumulate or a smaller --batch" in fails(*arguments(tmp_path / "run", drawn))


@pytest.mark.parametrize("error", [DataError("The stream broke off (x)."), torch.OutOfMemoryError("CUDA")])
def test_what_stops_one_process_alone_is_said_by_it(monkeypatch, capsys, error):
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "8")
    with pytest.raises(type(error)), one_of_several():
        raise error
    assert capsys.readouterr().err.startswith(("Process 3: The stream broke", "Process 3: A batch does not fit"))
    with pytest.raises(RuntimeError, match="a mistake of ours"), one_of_several():  # no other process is gone
        raise RuntimeError("a mistake of ours")
