# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One seed, one run: to the byte, in any process, on any Python, with any hash seed.

The digests below are what the seeds stand for now. When the engine or the simulator changes on
purpose, take those that `python -m tests.sim.test_determinism` prints, and say so in the commit.
PLANS and AIR do not depend on the engine: they change only with plan.py and network.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

from swarm_ledger.sim.pbft.network import Air, Radio, Weather
from swarm_ledger.sim.pbft.plan import Menu, draw
from swarm_ledger.sim.pbft.run import run

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (4, 12, 15)
"""A usurper; twins and a new roster; a usurper and a forger with real signatures."""

PLANS = "59901c7991518549d6479218f5abee1cfea6280f38a9eebeb303d6d1a0126022"
AIR = "5816e00505fd511d076ad2857fde2df555eccf19e88dc63eeb64c56214fca2f4"
TRACES = {
    "4": "b28f4ef3a37b2c15ca92c8575e36b818c21046488cc3c4e927fc270debfd329d",
    "12": "4b8ff1d7ac6bcfb66eba273464706084223d057858d87cfc411b4f70f0330e94",
    "15": "cae0550971cf66c629d5afe64145777cd9ed42bd7a12a9d43e1b4196582a4e68",
}


def plans() -> str:
    return hashlib.sha256("\n".join(repr(draw(s, Menu())) for s in range(50)).encode()).hexdigest()


def air() -> str:
    digest = hashlib.sha256()
    for radio in (None, Radio()):
        weather = Weather(loss=0.1, twice=0.1, corrupted=0.1, slow=(0, 1))
        network = Air(random.Random("air"), weather, radio)
        for now in range(0, 2_000, 5):
            for arrival in network.transmit(now, now % 4, [0, 1, 2, 3], b"%d" % now, 100):
                digest.update(repr(arrival).encode())
        digest.update(b"%d %d" % (network.air_bytes, network.collisions))
    return digest.hexdigest()


def traces() -> dict[str, str]:
    return {str(seed): run(draw(seed, Menu())).trace for seed in SEEDS}


def everything() -> dict[str, object]:
    return {"PLANS": plans(), "AIR": air(), "TRACES": traces()}


def test_seeds_with_and_without_real_signatures_are_pinned() -> None:
    drawn = [draw(seed, Menu()) for seed in SEEDS]
    assert {plan.real for plan in drawn} == {True, False}
    # Late messages are drawn with powers, which one processor may round otherwise than another.
    assert not any(plan.weather.late for plan in drawn)


def test_plans_are_what_they_were() -> None:
    assert plans() == PLANS


def test_the_network_does_what_it_did() -> None:
    assert air() == AIR


def test_seeds_run_as_they_did() -> None:
    assert traces() == TRACES


def test_a_seed_runs_the_same_again_and_no_other_does() -> None:
    assert traces() == traces()
    assert len(set(traces().values())) == len(SEEDS)


def test_another_process_with_another_hash_seed_sees_the_same() -> None:
    for hash_seed in ("1", "4242"):
        output = subprocess.run(
            [sys.executable, "-m", "tests.sim.test_determinism"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert json.loads(output) == everything()


if __name__ == "__main__":
    print(json.dumps(everything(), indent=4))
