# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Votes that tokens and TPMs sign: whole missions, proofs of such votes, and a TPM that hangs."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest

from swarm_ledger.audit.ledger import open_ledger
from swarm_ledger.cli.verify import explain
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, Opener, seal
from swarm_ledger.errors import NotVerified
from swarm_ledger.identity.roster import Member, Role, parse_roster, render_roster
from swarm_ledger.identity.trust import load_trust
from swarm_ledger.ledger.checkpoint import Checkpoint
from swarm_ledger.light_client import VerifiedEntry
from swarm_ledger.runtime.export import prove
from swarm_ledger.runtime.identity import FolderKeys
from swarm_ledger.signers import new_key
from swarm_ledger.sim.rack import Swtpm
from tests.crew import DAY_S, FLYING, T0_S, Crew, key
from tests.hardware.test_commands import flown
from tests.system.command import call


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "transport"), [("tpm2", "memory"), ("pkcs11", "zmq"), ("tpm2", "ros")]
)
def test_a_mission_whose_votes_are_signed_in_hardware(
    tmp_path: Path, keys: str, transport: str
) -> None:
    folder = tmp_path / "run"
    found = flown(folder, keys, transport, "--hardware-only", "--attack", "equivocate").json
    names = [f"drone_{n}" for n in range(1, 5)]
    assert found["hardware_only"] == dict.fromkeys(names, True)
    honest = next(name for name in names if name not in found["liars"])
    assert call("ledger", "verify", folder / honest, "--json").json["root"] == found["root"]
    assert_votes_are_by_root_keys(folder, honest)


def assert_votes_are_by_root_keys(folder: Path, name: str) -> None:
    """And a proof of one tells whose it is, and which key signed it."""
    roster, votes = load_trust(folder / "roster").genesis, 0
    with open_ledger(folder / name) as store:
        for index in range(store.size):
            entry = store.entry(index)
            if entry[:1] == bytes([Kind.VOTE]):
                opened = Opener(roster).open(entry)
                assert opened.session is None
                votes += 1
                proof, author = prove(store, index), opened.author.name
    assert votes >= 3
    (folder / "vote.tlog-proof").write_bytes(proof)
    given = ("verify", folder / "vote.tlog-proof", "--policy", folder / "policy")
    found = call(*given, "--roster", folder / "roster", "--json").json
    assert (found["kind"], found["author"], found["signed_by"]) == ("vote", author, "root")
    said = call(*given, "--roster", folder / "roster").text
    assert f"verified: vote of {author}, signed by its root key" in said
    assert call(*given, "--json").json.keys().isdisjoint({"author", "signed_by"})


def test_software_keys_are_refused(tmp_path: Path) -> None:
    mission = ("sim", "--hardware-only", "--transport", "memory", "--run-dir", tmp_path / "run")
    said = call(*mission).refused()
    assert "software keys can't be hardware_only. Take --keys pkcs11 or tpm2." in said
    assert not (tmp_path / "run").exists()


def hardened(tpm: Swtpm, folder: Path) -> tuple[FolderKeys, Crew]:
    """A drone with a key in a TPM, and the crew whose first member it is, hardware_only."""
    crew = Crew()
    root = new_key(f"tpm2:key.tpm2?tcti={tpm.tcti}", None, folder)
    first = Member(0, "drone_1", root.public_key, root.key_store, FLYING, hardware_only=True)
    raw = render_roster(crew.swarm, 1, [first, *crew.roster.members[1:]])
    crew.roster = parse_roster(raw)
    return FolderKeys(folder, root, before_s=60, after_s=DAY_S), crew


def test_a_vote_waits_for_a_tpm_that_hangs(tpm: Swtpm, tmp_path: Path) -> None:
    keys, crew = hardened(tpm, tmp_path)
    held = keys.begin(crew.roster, T0_S)
    assert held is not None
    payload = encode(crew.observation())
    tpm.process.send_signal(signal.SIGSTOP)
    before = set(threading.enumerate())
    try:
        assert keys.vote(held, payload, T0_S) is None
        workers = set(threading.enumerate()) - before
        assert keys.vote(held, payload, T0_S + 60) is None
        assert keys.ready(crew.roster, T0_S + 60), "its session goes on"
    finally:
        tpm.process.send_signal(signal.SIGCONT)
    for worker in workers:
        worker.join(30)
    raw = keys.vote(held, payload, T0_S + 61)
    assert raw is not None
    assert Opener(crew.roster).open(raw).author.name == "drone_1"


def test_a_thiefs_vote_is_verified_by_nobody(tpm: Swtpm, tmp_path: Path) -> None:
    """Should a quorum have ordered it: a proof of it says that it counts for nothing."""
    keys, crew = hardened(tpm, tmp_path)
    held = keys.begin(crew.roster, T0_S)
    assert held is not None
    opener = Opener(crew.roster)
    opener.add_session(held.delegation)
    stolen = seal(Kind.VOTE, encode(crew.observation()), held.session, crew.roster)
    with pytest.raises(NotVerified, match="drone_1 votes with its root key only"):
        explain(entry_of(stolen), opener)
    mine = seal(Kind.VOTE, encode(crew.observation()), crew.session("drone_2"), crew.roster)
    assert explain(entry_of(mine), opener)["author"] is None, "its session is not in the policy"
    opener.add_session(crew.identity("drone_2", roster=crew.roster).delegation)
    assert explain(entry_of(mine), opener)["signed_by"] == "session"


def entry_of(raw: bytes) -> VerifiedEntry:
    return VerifiedEntry(0, 1, raw, Checkpoint("x", 1, bytes(32)), ())


def test_a_request_asks_for_it_and_the_roster_shows_it(tpm: Swtpm, tmp_path: Path) -> None:
    uri = f"tpm2:{tmp_path}/key.tpm2?tcti={tpm.tcti}"
    assert call("key", "new", uri).code == 0
    line, roster = tmp_path / "drone_1.request", tmp_path / "roster"
    asked = ("--swarm", "survey", "--name", "drone_1", "--key", uri, "--hardware-only")
    channel = ("--channel", tmp_path / "drone_1.channel.key")
    assert call("roster", "request", *asked, *channel, "--out", line).code == 0
    others = []
    for name in ("drone_2", "drone_3", "drone_4", "ann"):
        path = tmp_path / f"{name}.pem"
        key(name).save(path)
        others.append(tmp_path / f"{name}.request")
        plain = ("--swarm", "survey", "--name", name, "--key", f"file:{path}")
        channel = ("--channel", tmp_path / f"{name}.channel.key")
        assert call("roster", "request", *plain, *channel, "--out", others[-1]).code == 0
        refused = call("roster", "request", *plain, "--hardware-only")
        assert "a software key can't be hardware_only" in refused.err
    *drones, operator = others
    given = ("--swarm", "survey", "--operator", operator)
    drafted = call("roster", "init", roster, line, *drones, *given, "--json").json
    flags = {member["name"]: member["hardware_only"] for member in drafted["draft"]["added"]}
    assert flags == {"drone_1": True} | dict.fromkeys(
        ["drone_2", "drone_3", "drone_4", "ann"], False
    )
    shown = " ".join(call("roster", "show", roster).text.split())
    assert "key in tpm2, certified by an unproven TPM, votes with it" in shown
    signed = call("roster", "sign", roster, "--key", f"file:{tmp_path}/ann.pem", "--json").json
    assert signed["members"][0]["hardware_only"] is True
    member = load_trust(roster).newest.named("drone_1")
    assert (member.hardware_only, Role.VOTER in member.roles) == (True, True)
