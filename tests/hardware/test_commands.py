# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger` with tokens and TPMs: keys made and shown, doctor, and whole missions."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from swarm_ledger.identity.trust import load_trust
from swarm_ledger.runtime.fleet import FLEET
from swarm_ledger.sim.rack import Swtpm
from tests.hardware.conftest import needs
from tests.hardware.stores import PIN, Hsm
from tests.system.command import Said, Started, call, gone, processes, run
from tests.system.conftest import needs as needs_transport


def around(hsm: Hsm) -> dict[str, str]:
    return {**hsm.soft.environment, "PIN": PIN}


def findings(**more: str) -> dict[str, dict[str, Any]]:
    found = run("doctor", "--json", **more).json["findings"]
    return {finding["what"]: finding for finding in found}


def test_key_new_and_show_in_a_token(hsm: Hsm) -> None:
    place = f"pkcs11:token=drone%201?module-path={hsm.soft.module}&pin-source=env:PIN"
    made = run("key", "new", place, "--label", "my key", "--json", **around(hsm))
    assert made.code == 0, made
    found = made.json
    assert "object=my%20key?" in found["uri"]
    assert (found["key_store"], found["algorithm"], found["works"]) == ("pkcs11", "Ed25519", True)
    assert found["attributes"]["extractable"] is False
    shown = run("key", "show", found["uri"], **around(hsm))
    assert "Store: pkcs11\n" in shown.text
    assert "extractable: no" in shown.text
    assert "SOFTWARE" not in shown.text
    assert f"Public key: {found['public_key']}\n" in shown.text
    second = run("key", "new", place, "--label", "my key", **around(hsm)).refused()
    assert "already" in second


def test_a_pin_on_the_command_line_is_warned_of_and_not_repeated(hsm: Hsm) -> None:
    place = f"pkcs11:token=drone%201;object=root?module-path={hsm.soft.module}&pin-value={PIN}"
    said = run("key", "new", place, **around(hsm))
    assert said.code == 0, said
    assert "careful: a PIN stands in a key's URI" in said.err
    assert PIN not in said.text.replace(f"token=drone%20{PIN}", "").split("Public key")[0]
    assert "pin-value=***" in said.text


def test_key_new_and_show_in_a_tpm(tpm: Swtpm, tmp_path: Path) -> None:
    uri = f"tpm2:{tmp_path}/key.tpm2?tcti={tpm.tcti}"
    made = run("key", "new", uri, "--json")
    assert made.code == 0, made
    assert (made.json["key_store"], made.json["algorithm"]) == ("tpm2", "P-256")
    assert made.json["works"] is True
    shown = run("key", "show", uri)
    assert "fixed_tpm: yes" in shown.text
    assert shown.err == ""


def test_errors_of_a_tpm_come_without_the_librarys_own_lines() -> None:
    needs("tpm2_pytss", "tpm2-pytss")
    said = run("key", "show", "tpm2:0x81000001?tcti=swtpm:host=127.0.0.1,port=1").refused()
    assert said.startswith("swarm-ledger: the TPM at swtpm:host=127.0.0.1,port=1 can't be reached")
    assert said.count("\n") == 1


def test_doctor_shows_each_token(hsm: Hsm, tmp_path: Path) -> None:
    hsm.soft.token("drone 2", PIN)
    rows = run("doctor", "--json", **around(hsm)).json["findings"]
    tokens = [row["found"] for row in rows if row["what"] == "PKCS#11 token"]
    assert len(tokens) == 2
    for label in ("drone 1", "drone 2"):
        assert any(found.startswith(f"'{label}', serial ") for found in tokens)
    assert "2 tokens behind " in findings(**around(hsm))["PKCS#11"]["found"]
    (tmp_path / "none").mkdir()
    empty = tmp_path / "empty.conf"
    empty.write_text(f"directories.tokendir = {tmp_path / 'none'}\n")
    nothing = findings(SOFTHSM2_CONF=str(empty))["PKCS#11"]
    assert (nothing["state"], "put one in" in nothing["remedy"]) == ("missing", True)


def test_doctor_shows_a_tpm(tpm: Swtpm) -> None:
    shown = findings(TPM2TOOLS_TCTI=tpm.tcti)["TPM 2.0"]
    assert (shown["state"], shown["found"]) == ("ok", f"{tpm.tcti}, by IBM")
    tpm.stop()
    missing = findings(TPM2TOOLS_TCTI=tpm.tcti)["TPM 2.0"]
    assert missing["state"] == "missing"
    assert "can't be reached" in missing["found"]
    assert missing["remedy"]


# missions


def has(keys: str) -> None:
    """Skip, and say why, where a mission with such keys can't be flown."""
    from swarm_ledger.errors import Misuse
    from swarm_ledger.sim import rack

    try:
        {"pkcs11": rack.softhsm, "tpm2": rack.swtpm}[keys]()
    except Misuse as missing:
        pytest.skip(missing.explain())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "transport"), [("pkcs11", "memory"), ("tpm2", "zmq"), ("pkcs11", "ros")]
)
def test_the_main_job_with_every_root_key_in_hardware(
    tmp_path: Path, keys: str, transport: str
) -> None:
    folder = tmp_path / "run"
    said = flown(folder, keys, transport, "--byzantine", 1)
    found = said.json
    roster = load_trust(folder / "roster").genesis
    drones = [member for member in roster.members if member.name.startswith("drone_")]
    assert {member.key_store.label for member in drones} == {keys}
    assert {len(member.public_key) for member in drones} == {{"pkcs11": 32, "tpm2": 33}[keys]}
    assert not list(folder.glob("drone_*/*.pem"))
    assert ("do not follow from the seed" in said.err) is (transport == "memory")
    for name in ("drone_1", "drone_2"):
        checked = call("ledger", "verify", folder / name, "--json")
        assert checked.json["root"] == found["root"] or name in found["liars"]


def flown(folder: Path, keys: str, transport: str, *more: object) -> Said:
    """What a mission of four says, with all root keys in hardware, of which nothing is left."""
    has(keys)
    needs_transport(transport)
    said = run(
        *("sim", "--drones", 4, "--keys", keys, "--transport", transport, *more),
        *("--run-dir", folder, "--json"),
    )
    assert said.code == 0, said
    found = said.json
    assert (found["agree"], found["verified"], found["lost"]) == (True, True, {})
    assert found["key_store"] == {f"drone_{n}": keys for n in range(1, 5)}
    assert left_over(folder) == []
    return said


def left_over(folder: Path) -> list[int]:
    """Processes that have to do with a run."""
    found = []
    for pid, _ in processes():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder).encode() in words and pid != os.getpid():
            found.append(pid)
    return found


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_tpm_outlives_its_mission(tmp_path: Path, how: signal.Signals) -> None:
    has("tpm2")
    folder = tmp_path / "run"
    mission = ["--keys", "tpm2", "--transport", "zmq", "--attack", "silent", "--byzantine", 2]
    with Started(["sim", *mission, "--allow-unsafe", "--run-dir", folder]) as started:
        started.until("met drone_")
        running = [*left_over(folder), *started.children().values()]
        assert len(set(running)) >= 9, "the command, four drones, four TPMs"
        started.process.send_signal(how)
        started.end()
    assert gone(running)


@pytest.mark.parametrize(
    ("keys", "words"),
    [("pkcs11", "SoftHSM is not installed. apt install softhsm2"), ("tpm2", "swtpm is not inst")],
)
def test_what_is_missing_is_said_before_anything_is_laid_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: str, words: str
) -> None:
    has(keys)
    monkeypatch.setenv("PATH", "/nowhere")
    folder = tmp_path / "run"
    mission = ["sim", "--keys", keys, "--transport", "memory", "--run-dir", folder]
    assert words in call(*mission).refused()
    assert not folder.exists()


def test_a_run_folder_is_not_flown_into_twice(tmp_path: Path) -> None:
    has("pkcs11")
    (tmp_path / FLEET).touch()
    mission = ["sim", "--keys", "pkcs11", "--transport", "memory", "--run-dir", tmp_path]
    assert "already holds a run" in call(*mission).refused()
    assert os.listdir(tmp_path) == [FLEET], "no token was made"
