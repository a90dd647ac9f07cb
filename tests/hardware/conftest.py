# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Real SoftHSM tokens and real TPMs (swtpm), started for the tests that want them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm_ledger.errors import Misuse
from swarm_ledger.sim.rack import SoftHsm, Swtpm
from tests.hardware.stores import PIN, Hsm


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hsm]:
    """SoftHSM with one token, "drone 1", whose PIN is in $PIN."""
    needs("pkcs11", "python-pkcs11")
    monkeypatch.setenv("PIN", PIN)
    try:
        softhsm = SoftHsm(tmp_path / "softhsm")
    except Misuse as missing:
        pytest.skip(missing.explain())
    with softhsm:
        softhsm.token("drone 1", PIN)
        yield Hsm(softhsm, tmp_path / "softhsm" / "tokens")


@pytest.fixture
def tpm(tmp_path: Path) -> Iterator[Swtpm]:
    """A TPM of our own."""
    needs("tpm2_pytss", "tpm2-pytss")
    try:
        started = Swtpm(tmp_path / "tpm")
    except Misuse as missing:
        pytest.skip(missing.explain())
    with started:
        yield started


def needs(module: str, package: str) -> None:
    """Skip, and say why, what needs an optional package that isn't here."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{package} is not installed")
