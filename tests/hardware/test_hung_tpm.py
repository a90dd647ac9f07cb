# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A TPM that does not answer: the drone's loop goes on, and its key works when the TPM does."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from swarm_ledger.identity.roster import parse_roster
from swarm_ledger.runtime.identity import FolderKeys
from swarm_ledger.signers import Signer, new_key
from swarm_ledger.sim.rack import Swtpm
from tests.crew import DAY_S, T0_S, key
from tests.unit.test_identity_p256 import roster_of


def test_a_tpm_that_hangs_holds_nobody_up(tpm: Swtpm, tmp_path: Path) -> None:
    root = new_key(f"tpm2:key.tpm2?tcti={tpm.tcti}", None, tmp_path)
    roots: dict[str, Signer] = {f"drone_{n}": key(f"drone_{n}") for n in (2, 3, 4)}
    roster = parse_roster(roster_of({"drone_1": root, **roots}, key("operator")))
    keys = FolderKeys(tmp_path, root, before_s=60, after_s=DAY_S)
    tpm.process.send_signal(signal.SIGSTOP)
    try:
        assert not keys.ready(roster, T0_S)
        workers = [t for t in threading.enumerate() if t is not threading.main_thread()]
        assert not keys.ready(roster, T0_S + 60)
        assert keys.trouble is None
    finally:
        tpm.process.send_signal(signal.SIGCONT)
    for worker in workers:
        worker.join(30)
    assert keys.ready(roster, T0_S)
    identity = keys.begin(roster, T0_S)
    assert identity is not None
    assert identity.member.name == "drone_1"
