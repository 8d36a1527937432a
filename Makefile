# Every target makes what it needs first. `make demo` needs no PyTorch; the rest installs it too.
# On Linux, PyPI's torch carries CUDA (several GB). The small CPU build:
#     make test PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"
PYTHON ?= python3
PIP_ARGS ?=
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_ARGS)
# Apart from the rest: torch's CUDA builds pin a Triton of their own, which the kernels support too.
TRITON ?= 3.9.0
TRITON_PINNED := 3.7.1
SOURCES := engine kernels export training benchmarks tests
NATIVE := $(shell find kernels/native -name '*.cpp' -o -name '*.h' -o -name 'CMakeLists.txt')
CMAKE := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cmake

.PHONY: help venv demo test test-native-sanitized test-triton-pinned report check check-native fix bench clean

help:
	@echo "make demo    sheets of digits and emoji from the shipped models, in out/demo"
	@echo "make test    all tests, those of the kernels with Triton $(TRITON)"
	@echo "make test-native-sanitized   those of the C++ kernels, addresses and undefined behaviour checked"
	@echo "make test-triton-pinned   those of the kernels with Triton $(TRITON_PINNED)"
	@echo "make report  what the compiler makes of every kernel, by both Tritons, in out/report"
	@echo "make check   lint, format, types, layers; changes nothing"
	@echo "make fix     format, and fix what the linter can"
	@echo "make bench   benchmarks of the backends"
	@echo "make venv    the environment for all of these, from exact pins"

venv: .venv/.dev

.venv/.made:
	$(PYTHON) -m venv .venv
	@touch $@

# What sampling needs, and no more.
.venv/.run: .venv/.made pyproject.toml constraints.txt $(NATIVE)
	$(INSTALL) -e .
	@touch $@

# Warnings of the C++ compiler are errors here, and its symbols are checked: without isolation, so that the
# build folder stays good for `make check`. So what its dependencies build with (setuptools) has to be there too.
.venv/.dev: .venv/.made pyproject.toml constraints.txt $(NATIVE)
	$(INSTALL) scikit-build-core cmake ninja setuptools wheel
	PATH="$(CURDIR)/$(BIN):$$PATH" $(INSTALL) --no-build-isolation -C cmake.define.GK_STRICT=ON \
		-e '.[torch,onnx,rtx,train,images,bench,dev]'
	$(INSTALL) --no-deps triton==$(TRITON)
	@touch $@ .venv/.run

.venv-triton-pinned/.made: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-triton-pinned
	.venv-triton-pinned/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_ARGS) \
		-e '.[torch,onnx,dev]'
	.venv-triton-pinned/bin/python -m pip install --quiet --disable-pip-version-check --no-deps triton==$(TRITON_PINNED)
	@touch $@

demo: .venv/.run
	rm -rf out/demo
	$(BIN)/python -m engine generate dcgan-digits -n 80 -o out/demo/dcgan-digits.png
	$(BIN)/python -m engine generate dcgan-emoji -n 64 --truncation 1.5 -o out/demo/dcgan-emoji.png
	$(BIN)/python -m engine generate vae-digits -n 64 -o out/demo/vae-digits.png
	$(BIN)/python -m engine generate gan-mlp-digits -n 64 -o out/demo/gan-mlp-digits.png
	$(BIN)/python -m engine generate dcgan-digits -n 200 --labels 7 --seed 1 -o out/demo/sevens
	$(BIN)/python -m engine interpolate vae-digits --from 1 --to 6 --steps 12 -o out/demo/interpolation.png
	$(BIN)/python -m engine reconstruct vae-digits out/demo/sevens/0000000[0-7].png -o out/demo/reconstruction.png
	@echo "Look into out/demo."

test: .venv/.dev test-native-sanitized
	$(BIN)/python -m pytest -q -n auto --ignore=tests/ptx --ignore=tests/sass --ignore=tests/interpreter tests
	$(BIN)/python -m pytest -q tests/ptx tests/sass
	TRITON_INTERPRET=1 $(BIN)/python -m pytest -q -n auto tests/interpreter

# The sanitizer has to be there before Python, which itself leaks by design.
test-native-sanitized: .venv/.dev
	$(CMAKE) -S kernels/native -B build/sanitized -G Ninja -DGK_SANITIZE=ON -DGK_STRICT=OFF > /dev/null
	$(CMAKE) --build build/sanitized
	GENERATOR_KERNELS_LIBRARY=$(CURDIR)/build/sanitized/libgenerator_kernels.so \
		LD_PRELOAD="$$(c++ -print-file-name=libasan.so) $$(c++ -print-file-name=libstdc++.so)" ASAN_OPTIONS=detect_leaks=0 \
		$(BIN)/python -m pytest -q -n auto tests/host/native

test-triton-pinned: .venv-triton-pinned/.made
	.venv-triton-pinned/bin/python -m pytest -q tests/ptx tests/sass
	TRITON_INTERPRET=1 .venv-triton-pinned/bin/python -m pytest -q -n auto tests/interpreter

# Only figures from binaries are compared: traces do not depend on the compiler much, and take long.
report: .venv/.dev .venv-triton-pinned/.made
	.venv-triton-pinned/bin/python -m kernels.inspect --no-traces -o out/report-$(TRITON_PINNED) \
		--json out/triton-$(TRITON_PINNED).json
	$(BIN)/python -m kernels.inspect -o out/report --compare out/triton-$(TRITON_PINNED).json

check: .venv/.dev check-native
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m benchmarks.report benchmarks/results/*.json --check README.md
	$(BIN)/python -m benchmarks.formats --read benchmarks/formats/results.json --check README.md

# Says what the strict build of the library objects to; silent where the install has built it.
check-native: .venv/.dev
	$(CMAKE) --build build/editable

fix: .venv/.dev
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: .venv/.dev
	$(BIN)/python -m pytest benchmarks/ --benchmark-only

clean:
	rm -rf .venv .venv-triton-pinned out build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks
