# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Write requirements.lock for each Python that is installed here, by what setup.py requires now.

What is pinned stays as it is; of what is new pip chooses today's version, with --upgrade of all.
The set-up passes it to pip as constraints. Run it by hand, with `make lock`, then `make test`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
_BUILD_TOOLS = ("catkin-pkg>=1.0,<2", "cmake>=3.26,<5", "colcon-common-extensions==0.3.0")
_HEADER = """\
# Constraints for pip, written by scripts/lock.py: versions that were tested together.
# For a Python that is not named, those of the nearest one that is.
"""


def freeze(python: str, scratch: Path, *chosen: str) -> dict[str, str]:
    """Install everything with this Python into a scratch environment; return name → version.

    chosen: options for pip that say which versions it may choose.
    """
    venv = scratch / Path(python).name
    subprocess.run([python, "-m", "venv", venv], check=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "install", "-q", *chosen, *_BUILD_TOOLS, f"{ROOT}[dask,dev]"], check=True
    )
    text = subprocess.check_output([*pip, "freeze", "--exclude", "swarm-ledger"], text=True)
    pins = (line.partition("==") for line in text.splitlines())
    return {name.lower(): version for name, equals, version in pins if equals}


def merge(by_python: dict[str, dict[str, str]]) -> list[str]:
    """Return the lines: plain where the Pythons agree, else a pin and a marker for each run."""
    versions = list(by_python)
    lines = []
    for name in sorted({name for pins in by_python.values() for name in pins}):
        runs: list[tuple[str, str | None]] = []
        for python in versions:
            pin = by_python[python].get(name)
            if not runs or runs[-1][1] != pin:
                runs.append((python, pin))
        for position, (first, pin) in enumerate(runs):
            bounds = [f"python_version >= '{first}'"] if position else []
            if position + 1 < len(runs):
                bounds.append(f"python_version < '{runs[position + 1][0]}'")
            marker = f" ; {' and '.join(bounds)}" if bounds else ""
            if pin:
                lines.append(f"{name}=={pin}{marker}")
    return lines


def main() -> int:
    """Resolve for each installed Python and write the file."""
    parser = argparse.ArgumentParser(description="Write requirements.lock anew.")
    parser.add_argument("--upgrade", action="store_true", help="keep no version of before")
    lock = ROOT / "requirements.lock"
    chosen = () if parser.parse_args().upgrade else ("--constraint", str(lock))
    found = {version: shutil.which(f"python{version}") for version in PYTHONS}
    with tempfile.TemporaryDirectory() as scratch:
        by_python = {}
        for version, python in found.items():
            if python and subprocess.call([python, "-c", "import venv"]) == 0:
                print(f"Resolving for Python {version}", flush=True)
                by_python[version] = freeze(python, Path(scratch), *chosen)
    lock.write_text(_HEADER + "\n".join(merge(by_python)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
