PYTHON ?= python3
PORT ?= 7860
DATA ?= ../shared/data/heads
PRESET ?= dogvae
PRESETS ?= dogvae classic autoencoder
OUT ?= runs/$(PRESET)
MINUTES ?= 120
PIP_ARGS ?=
BIN := .venv/bin
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable

.PHONY: app test browser train evaluate embed bench clean

app: .venv/app
	PORT=$(PORT) $(BIN)/python app.py

test: .venv/test browser
	$(BIN)/ruff check .
	$(BIN)/python -m pytest tests

train: .venv/train
	$(BIN)/python -m training.train --preset $(PRESET) --data $(DATA) --out $(OUT) --minutes $(MINUTES)

evaluate: .venv/train
	$(BIN)/python -m training.evaluate --weights weights/dogvae weights/classic weights/autoencoder --data $(DATA) --json runs/evaluation.json

# Runs that are worth it become the embedded weights: runs/PRESET -> weights/PRESET, measured and described.
embed: .venv/train
	for p in $(PRESETS); do mkdir -p weights/$$p && cp runs/$$p/config.json runs/$$p/model.safetensors runs/$$p/latents.safetensors runs/$$p/loss.png runs/$$p/log.jsonl weights/$$p/; done
	$(BIN)/python -m training.evaluate --weights $(PRESETS:%=weights/%) --data $(DATA) --json runs/evaluation.json --samples 1000 --grids runs/grids --write-metrics
	rm -f $(PRESETS:%=weights/%/log.jsonl)
	$(BIN)/python -m training.card --weights $(PRESETS:%=weights/%)

bench: .venv/train
	$(BIN)/python -m training.bench

# Each stamp is remade when what it was made from changes.
.venv/pip:
	$(PYTHON) -m venv .venv
	touch $@
.venv/app: .venv/pip requirements.txt
	$(BIN)/python -m pip install $(PIP_ARGS) -r requirements.txt
	touch $@
.venv/train: .venv/app training/requirements.txt
	$(BIN)/python -m pip install $(PIP_ARGS) -r training/requirements.txt
	touch $@
.venv/test: .venv/train tests/requirements.txt
	$(BIN)/python -m pip install $(PIP_ARGS) -r tests/requirements.txt
	touch $@

# An installed Chrome or Chromium; else Debian's, when root; else playwright's own.
browser: .venv/test
	@for name in $(BROWSERS); do command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium fonts-noto-color-emoji fonts-dejavu-core; \
	else $(BIN)/python -m playwright install chromium; fi

clean:
	rm -rf .venv runs .pytest_cache .ruff_cache .hypothesis
