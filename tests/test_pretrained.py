"""Saving weights to a folder and loading them, and one plain sentence for each fault of the folder."""

import hashlib
import json
import os
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from model import WeightsError, __version__, load
from model.pretrained import LOOKS, read, save
from tests.support.tiny import TINY, drawn_batch, some_latents, tiny_vae


@pytest.fixture
def folder(tmp_path):
    vae = tiny_vae()
    vae.latents = some_latents()
    save(vae, tmp_path / "weights")
    return tmp_path / "weights"


def sentence(name) -> str:
    with pytest.raises(WeightsError) as caught:
        load(name)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".") and len(text) < 400, text
    return text


def test_round_trip(folder):
    before, after = tiny_vae(), read(folder)
    assert after.config == TINY
    for (name, a), b in zip(before.state_dict().items(), after.state_dict().values(), strict=True):
        torch.testing.assert_close(b, a, atol=1e-4, rtol=1e-3, msg=name)  # the file holds fp16
    assert torch.equal(after.latents.directions, some_latents().directions)
    assert {p.name for p in folder.iterdir()} == {"config.json", "model.safetensors", "latents.safetensors"}


def test_a_save_that_is_cut_short_leaves_no_model_beside_what_does_not_fit_it(tmp_path):
    vae = tiny_vae()
    vae.latents = some_latents()
    (tmp_path / "model.safetensors").mkdir()  # so the last file can't take its place
    (tmp_path / LOOKS).write_bytes(b"of other weights")
    with pytest.raises(OSError):
        save(vae, tmp_path)
    assert (tmp_path / "latents.safetensors").is_file() and not (tmp_path / LOOKS).exists()


def test_a_loaded_model_is_ready_to_use(folder):
    vae, before = load(folder), tiny_vae()
    x, z = drawn_batch(2, 32), torch.randn(2, 16)
    assert not vae.training and not any(p.requires_grad for p in vae.parameters())
    assert vae.source == f"folder {folder}"
    assert (vae.decode(z) - before.decode(z)).abs().max() < 0.05
    assert (vae.encode(x)[0] - before.encode(x)[0]).abs().max() < 0.05 * before.encode(x)[0].abs().max()


def test_training_goes_on_in_float32_with_the_trunk_frozen(folder):
    vae = read(folder)
    assert vae.training and vae.dtype == torch.float32
    frozen = {name for name, p in vae.named_parameters() if not p.requires_grad}
    assert frozen and all(name.startswith("encoder.trunk.") for name in frozen)


def test_weights_id_is_the_hash_of_the_file(folder):
    assert load(folder).weights_id == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:12]


def test_weights_are_stored_in_half_precision_for_all_to_read(folder):
    path = folder / "model.safetensors"
    assert {v.dtype for v in load_file(path).values()} == {torch.float16}
    plain = folder / "plain.txt"
    plain.write_text("written by hand")
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_model_without_latents_loads_only_where_they_are_to_be_fitted(folder):
    (folder / "latents.safetensors").unlink()
    assert "training.fit" in sentence(folder)
    assert load(folder, latents=False).latents is None


def test_the_config_tells_which_version_trained_it(folder):
    config = json.loads((folder / "config.json").read_text())
    assert config.pop("version") == __version__
    (folder / "config.json").write_text(json.dumps(config))
    assert load(folder).config == TINY, "weights from before it was noted"
    edit_config(folder, version="9.9.9")
    assert load(folder).config == TINY, "what decides is the format"


def edit_config(folder, **entries):
    config = json.loads((folder / "config.json").read_text()) | entries
    (folder / "config.json").write_text(json.dumps(config))


def test_no_folder(tmp_path):
    assert "There is no folder" in sentence(tmp_path / "nothing")


def test_no_folder_and_no_network(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in sentence("nobody/no-such-model-of-dogs")


@pytest.mark.parametrize("name", ["no such folder/really", "nobody/..", "-a/b"])
def test_a_name_that_the_hub_refuses(name):
    sentence(name)


def test_a_folder_of_something_else(tmp_path):
    assert "no config.json" in sentence(tmp_path)


def test_no_weights(folder):
    (folder / "model.safetensors").unlink()
    assert "no model.safetensors" in sentence(folder)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe\x00", b"[]", b"null", b"{}"], ids=repr)
def test_a_config_that_is_none(folder, text):
    (folder / "config.json").write_bytes(text)
    assert "config.json" in sentence(folder)


@pytest.mark.parametrize(
    "entries, says",
    [
        ({"discriminator": True}, "discriminator"),
        ({"format": 2}, "format 2"),
        ({"network": "gan"}, "'gan'"),
        ({"latent_dim": "16"}, "whole numbers"),
        ({"image_size": "32"}, "wrong type"),
        ({"image_size": None}, "wrong type"),
        ({"decoder_widths": 16}, "wrong type"),
        ({"decoder_widths": [16]}, "5 decoder_widths"),
        ({"encoder_width": 10**9}, "whole numbers"),
    ],
    ids=str,
)
def test_a_config_that_this_version_cannot_build(folder, entries, says):
    edit_config(folder, **entries)
    assert says in sentence(folder)


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff" * 100, None], ids=["empty", "text", "ones", "truncated"])
@pytest.mark.parametrize("name", ["model.safetensors", "latents.safetensors"])
def test_a_damaged_file(folder, name, content):
    path = folder / name
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    assert "damaged" in sentence(folder)


def test_weights_of_another_config(folder):
    edit_config(folder, latent_dim=8)
    assert "do not fit" in sentence(folder)


def test_latents_of_another_model(folder):
    some_latents(8).save(folder / "latents.safetensors")
    assert "latents" in sentence(folder)


def test_a_weight_is_missing(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors.popitem()
    save_file(tensors, folder / "model.safetensors")
    assert "do not fit" in sentence(folder)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_never_run(folder, tmp_path):
    path, trace = folder / "model.safetensors", tmp_path / "executed"
    pickle.loads(pickle.dumps(Bomb(trace)))
    assert trace.is_dir(), "the pickle is live"
    trace.rmdir()
    path.write_bytes(pickle.dumps(Bomb(trace)))
    assert "damaged" in sentence(folder)
    torch.save(Bomb(trace), path)
    assert "damaged" in sentence(folder)
    assert not trace.exists()
