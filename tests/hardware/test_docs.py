# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What docs/keys.md shows is run as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from swarm_ledger.sim.rack import Swtpm
from tests.hardware.stores import Hsm
from tests.system.command import ROOT, surroundings

PAGE = (ROOT / "docs" / "keys.md").read_text()


def take(name: str, folder: Path, **more: str) -> str:
    """Run the commands of a block in one shell; return what they said."""
    found = re.search(
        rf"<!-- {name}:begin -->\n```console\n(.*?)```\n<!-- {name}:end -->", PAGE, re.S
    )
    assert found, f"docs/keys.md has no {name}"
    lines = [line.removeprefix("$ ") for line in found[1].splitlines()]
    command = f'swarm-ledger() {{ {shlex.quote(sys.executable)} -m swarm_ledger "$@"; }}'
    done = subprocess.run(
        ["bash", "-euc", "\n".join([command, *lines])],
        cwd=folder,
        env=surroundings(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_key_in_an_encrypted_file(tmp_path: Path) -> None:
    said = take("file", tmp_path)
    assert said.count("Works: yes") == 2
    assert len(set(re.findall("Public key: (.*)", said))) == 1


def test_a_key_in_a_token(hsm: Hsm, tmp_path: Path) -> None:
    (tmp_path / "tour").mkdir()
    said = take("softhsm", tmp_path / "tour")
    assert said.count("Works: yes") == 2
    assert "'drone_1', serial " in said
    assert "object=root" in said


def test_keys_in_a_tpm(tpm: Swtpm, tmp_path: Path) -> None:
    said = take("tpm", tmp_path, TPM2TOOLS_TCTI=tpm.tcti)
    assert said.count("Works: yes") == 5
    assert said.count("user_with_auth: no") == 2
