PYTHON ?= python3
PORT ?= 7860
DATA ?= ../shared/data/heads
PHOTOS ?= ../shared/data
PRESET ?= dogvae
PRESETS ?= dogvae classic autoencoder
OUT ?= runs/$(PRESET)
MINUTES ?= 120
PRICES ?= 0 0.00025 3 30 1000
PIP_ARGS ?=
OLDEST ?= .venv-oldest
OLDEST_PYTHON ?= python3.10
BIN := .venv/bin
# Two processes run the tests, a file each. Each computes with one thread: with two they would wait for each other.
ALL_TESTS := -m pytest tests -n 2 --dist loadfile
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable

.PHONY: app test coverage types fuzz test-oldest audit browser train evaluate embed lesson finder push space bench clean

app: .venv/app
	PORT=$(PORT) $(BIN)/python app.py

test: .venv/test browser types
	$(BIN)/ruff check .
	OMP_NUM_THREADS=1 $(BIN)/python $(ALL_TESTS)

# Runs the same tests, and lists the lines that none of them ran. Servers and training runs that tests start count too.
# Fails if more lines are left than pyproject.toml allows.
coverage: .venv/test browser
	OMP_NUM_THREADS=1 $(BIN)/coverage run $(ALL_TESTS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

types: .venv/test
	$(BIN)/mypy

# Run by hand: tests the model and the page with the oldest Python and torch that we support.
test-oldest: $(OLDEST)/done browser
	$(OLDEST)/bin/python -m pytest $(patsubst %,tests/test_%.py,model latents photos pretrained api page repository hub push)

$(OLDEST)/done: requirements.txt training/requirements.txt tests/requirements.txt
	$(OLDEST_PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install $(PIP_ARGS) "torch==2.8.*" "torchvision==0.23.*" -r tests/requirements.txt
	touch $@

# Looks for known vulnerabilities of installed packages. If their list can't be fetched, it says so and goes on.
audit: .venv/test
	@rm -f .venv/audit.json; \
	$(BIN)/pip-audit --local --progress-spinner off --timeout 10 --format json --output .venv/audit.json; status=$$?; \
	if [ ! -s .venv/audit.json ]; then echo "NOT AUDITED: the list of known vulnerabilities did not answer"; \
	elif [ $$status != 0 ]; then cat .venv/audit.json; exit $$status; fi

# Longer runs of the random tests in make test: 500 examples of each kind of picture, and 500 frames of noise.
fuzz: .venv/test
	FUZZ=500 $(BIN)/python -m pytest tests/test_hostile.py tests/test_kinds.py tests/test_channel.py

train: .venv/train
	$(BIN)/python -m training.train --preset $(PRESET) --data $(DATA) --out $(OUT) --minutes $(MINUTES)

evaluate: .venv/train
	$(BIN)/python -m training.evaluate --weights weights/dogvae weights/classic weights/autoencoder --data $(DATA) --photos $(PHOTOS) --json runs/evaluation.json

# Turns training runs into the embedded weights: copies runs/PRESET to weights/PRESET, measures and describes them.
embed: .venv/train
	for p in $(PRESETS); do mkdir -p weights/$$p && cp runs/$$p/config.json runs/$$p/model.safetensors runs/$$p/latents.safetensors runs/$$p/loss.png runs/$$p/log.jsonl weights/$$p/; if [ -f runs/$$p/critic.safetensors ]; then cp runs/$$p/critic.safetensors weights/$$p/; fi; done
	for p in $(filter dogvae,$(PRESETS)); do $(BIN)/python -m training.looks --weights weights/$$p --sheets runs/looks || exit 1; done
	$(BIN)/python -m training.evaluate --weights $(PRESETS:%=weights/%) --data $(DATA) --json runs/evaluation.json --samples 1000 --nearer 20 --grids runs/grids --write-metrics
	rm -f $(PRESETS:%=weights/%/log.jsonl)
	$(BIN)/python -m training.card --weights $(PRESETS:%=weights/%)

# Trains the lesson's small models, one for each of PRICES, and its GAN. Models this small train faster in float32.
lesson: .venv/train
	for kl in $(PRICES); do $(BIN)/python -m training.train --preset small --kl $$kl --data $(DATA) --out runs/small-$$kl --images 60000 --precision no || exit 1; done
	$(MAKE) embed PRESETS="$(PRICES:%=small-%)"
	$(BIN)/python -m training.cloud --weights $(PRICES:%=weights/small-%) --data $(DATA)
	$(BIN)/python -m training.gan --data $(DATA) --out weights/gan

# Uploads to the Hugging Face Hub; needs HF_TOKEN or `hf auth login`. DRY=1 only shows what would be uploaded.
push: .venv/train
	$(BIN)/python -m training.push --weights weights/$(PRESET) --repo $(REPO) $(if $(TAG),--tag $(TAG)) $(if $(DRY),--dry-run)

space: .venv/train
	$(BIN)/python -m training.space --space $(SPACE) $(if $(WEIGHTS),--weights $(WEIGHTS)) $(if $(HARDWARE),--hardware $(HARDWARE)) $(if $(DRY),--dry-run)

finder: .venv/train
	$(BIN)/python -m training.train_finder --data $(PHOTOS)
	$(BIN)/python -m training.train_landmarks --data $(PHOTOS)

bench: .venv/test browser
	$(BIN)/python -m bench
	$(BIN)/python -m bench.page
	$(BIN)/python -m bench.crowd

# Each of these files is a time stamp: make installs again if a requirements file is newer.
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

# Uses an installed Chrome or Chromium. Otherwise root installs Debian's, and other users playwright's own.
browser: .venv/test
	@for name in $(BROWSERS); do command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium fonts-noto-color-emoji fonts-dejavu-core; \
	else $(BIN)/python -m playwright install chromium; fi

clean:
	rm -rf .venv .venv-oldest runs .pytest_cache .ruff_cache .mypy_cache .hypothesis .coverage*
