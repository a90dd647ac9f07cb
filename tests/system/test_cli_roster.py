# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger roster`: what operators do, in order, and what they are kept from doing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from swarm_ledger.identity.channel import CHANNEL, ChannelKeys, ChannelPublic
from swarm_ledger.identity.enrolment import make_request, open_request
from swarm_ledger.identity.roster import render_roster
from swarm_ledger.identity.trust import load_trust, write_files
from swarm_ledger.identity.tuf import sign_root, sign_roster
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.blocks import genesis_entry
from swarm_ledger.runtime.fleet import FLEET, Fleet
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.runtime.membership import roster_request
from swarm_ledger.signers import SoftwareSigner
from tests.crew import END, T0_MS, Crew, key
from tests.system.command import Said, call, run

SWARM = "demo"


class Desk:
    """Two operators of three must sign for a swarm of four drones. Keys follow from names."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.roster = folder, folder / "roster"
        folder.mkdir()
        asked = [self.ask(f"drone_{number}") for number in range(1, 5)]
        operators = [("--operator", self.ask(name)) for name in ("ann", "bob", "cat")]
        flat = [word for pair in operators for word in pair]
        self.do("init", *asked, "--swarm", SWARM, *flat, "--threshold", 2)
        self.sign("ann", "bob")

    def key(self, name: str) -> SoftwareSigner:
        return key(f"desk {name}")

    def ask(self, name: str, of: str = "", swarm: str = SWARM, channel: str = "") -> Path:
        """A request for a name, by the key of somebody, or of the same name."""
        path = self.folder / f"{name}.{of or name}.request"
        keys = channel_keys(channel) if channel else None
        path.write_bytes(make_request(self.key(of or name), swarm, name, keys))
        return path

    def call(self, command: str, *arguments: object) -> Said:
        return call("roster", command, self.roster, *arguments)

    def do(self, command: str, *arguments: object) -> dict[str, Any]:
        done = self.call(command, *arguments, "--json")
        assert done.code == 0, done
        return done.json

    def sign(self, *names: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in names:
            path = self.folder / f"{name}.pem"
            if not path.exists():
                self.key(name).save(path)
            found = self.do("sign", "--key", f"file:{path}")
        return found

    def refused(self, command: str, *arguments: object) -> str:
        done = self.call(command, *arguments)
        assert done.code in (1, 2), done
        assert done.out == b""
        return done.err


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "desk")


def channel_keys(name: str) -> ChannelPublic:
    """The channel keys that follow from a name."""
    return ChannelKeys(key(f"channel {name}").public_key).public


def names(found: dict[str, Any], what: str) -> list[str]:
    return [member["name"] for member in found["draft"][what]]


def test_a_swarm_begins_when_enough_have_signed(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    shown = desk.do("show")
    assert (shown["version"], shown["root_version"], shown["threshold"]) == (1, 1, 2)
    assert shown["operators"] == ["ann", "bob", "cat"]
    assert [m["name"] for m in shown["members"]][:4] == [f"drone_{n}" for n in range(1, 5)]
    assert shown["members"][0]["roles"] == ["validator", "voter"]
    assert shown["members"][6]["roles"] == ["operator"]
    assert shown["draft"] is None
    assert desk.do("verify")["verified"]
    said = desk.call("show")
    assert "2 of ann, bob, cat sign" in said.text
    assert "software" in said.text


def test_one_after_another_signs_and_none_alone(desk: Desk) -> None:
    drafted = desk.do("add", desk.ask("drone_5"))
    assert names(drafted, "added") == ["drone_5"]
    assert not (desk.roster / "2.targets.json").exists()
    one = desk.sign("cat")
    assert one["draft"]["signatures"] == [
        {"what": "roster", "signed": ["cat"], "needed": 2, "met": False}
    ]
    assert desk.sign("cat")["draft"]["signatures"] == one["draft"]["signatures"], "twice is once"
    assert load_trust(desk.roster).newest.version == 1
    both = desk.sign("ann")
    assert (both["version"], both["draft"]) == (2, None)
    assert load_trust(desk.roster).newest.named("drone_5").index == 7


def test_a_draft_that_is_changed_is_signed_anew(desk: Desk) -> None:
    desk.do("add", desk.ask("drone_5"))
    desk.sign("ann")
    changed = desk.do("add", desk.ask("drone_6"))
    assert names(changed, "added") == ["drone_5", "drone_6"]
    assert changed["draft"]["signatures"][0]["signed"] == []
    desk.call("discard")
    assert desk.do("show")["draft"] is None
    assert "has no draft" in desk.refused("sign", "--key", f"file:{desk.folder / 'ann.pem'}")


def test_a_key_is_rotated_in_one_version(desk: Desk) -> None:
    drafted = desk.do("rotate", "drone_3", desk.ask("drone_3", "new"))
    assert names(drafted, "added") == names(drafted, "revoked") == ["drone_3"]
    desk.sign("ann", "bob")
    roster = load_trust(desk.roster).newest
    assert roster.version == 2
    assert roster.named("drone_3").public_key == desk.key("new").public_key
    assert (roster.named("drone_3").index, roster.members[2].roles) == (7, frozenset())
    assert roster.members[2].public_key == desk.key("drone_3").public_key
    assert "was revoked" in desk.refused("rotate", "drone_3", desk.ask("drone_3"))
    assert "not for drone_1" in desk.refused("rotate", "drone_1", desk.ask("drone_2", "other"))
    desk.do("add", desk.ask("drone_5"))
    desk.sign("ann", "bob")
    roster = load_trust(desk.roster).newest
    assert roster.named("drone_5").index == 2, "the place that was given up a version ago"
    assert "never comes back" in desk.refused("add", desk.ask("drone_6", "drone_3"))


def test_operators_change_with_the_roster(desk: Desk) -> None:
    """bob goes, dan comes: a root of its own, by two of the old and two of the new."""
    desk.do("revoke", "bob")
    drafted = desk.do("add", desk.ask("dan"), "--role", "operator")
    assert drafted["draft"]["operators"] == ["ann", "cat", "dan"]
    assert drafted["draft"]["new_root"]
    half = desk.sign("dan", "ann")
    met = {need["what"]: need["met"] for need in half["draft"]["signatures"]}
    assert met == {
        "new operators, by the old": False,
        "new operators, by themselves": True,
        "roster": True,
    }
    done = desk.sign("bob")
    assert (done["version"], done["root_version"], done["operators"]) == (
        2,
        2,
        ["ann", "cat", "dan"],
    )
    assert (desk.roster / "2.root.json").exists()
    desk.do("renew")
    assert "no operator's" in desk.refused("sign", "--key", f"file:{desk.folder / 'bob.pem'}")
    assert desk.sign("dan", "cat")["version"] == 3
    assert desk.do("verify")["verified"]


def test_a_threshold_that_operators_cannot_meet(desk: Desk) -> None:
    desk.do("revoke", "cat")
    assert "can't meet a threshold of 2" in desk.refused("revoke", "bob")
    lower = desk.do("revoke", "bob", "--threshold", 1)
    assert (lower["draft"]["operators"], lower["draft"]["threshold"]) == (["ann"], 1)
    desk.sign("ann")
    assert desk.do("show")["draft"] is not None, "the old threshold holds for the change itself"
    assert desk.sign("cat")["threshold"] == 1


def test_renewing_lasts_longer_and_keeps_everybody(desk: Desk) -> None:
    before = load_trust(desk.roster)
    desk.do("renew", "--days", 900)
    desk.sign("ann", "bob")
    trust = load_trust(desk.roster)
    assert trust.newest.members == before.newest.members
    assert trust.proven[-1].until > before.proven[-1].until
    assert trust.proven[-1].expires == before.roots.last.expires, "the root's, until it is renewed"
    assert "expires before" in desk.call("renew", "--days", 900).text
    desk.do("renew", "--operators", "--days", 900)
    assert desk.sign("ann", "bob")["root_version"] == 2
    assert load_trust(desk.roster).proven[-1].expires > before.roots.last.expires


# proof of possession


@pytest.mark.parametrize("change", ["name", "key", "swarm", "cut", "text", "empty"])
def test_a_request_that_proves_nothing(desk: Desk, change: str) -> None:
    path = desk.ask("drone_5")
    text = path.read_bytes()
    forged = {
        "name": text[:60] + b"A" + text[61:],
        "key": make_request(desk.key("x"), SWARM, "drone_5")[:90] + text[90:],
        "swarm": make_request(desk.key("drone_5"), "other", "drone_5"),
        "cut": text[:-9] + b"\n",
        "text": b"please",
        "empty": b"",
    }
    path.write_bytes(forged[change])
    said = desk.refused("add", path)
    assert "drone_5.drone_5.request" in said
    assert ("it is for the swarm 'other'" in said) == (change == "swarm")
    assert desk.do("show")["draft"] is None


def test_an_operator_signs_only_whose_possession_is_proven(desk: Desk) -> None:
    """The first operator's machine is a thief's: its draft names a key that nobody asked for."""
    desk.do("add", desk.ask("drone_5"))
    (kept,) = (desk.roster / "requests").glob(f"{desk_id(desk, 'drone_5')}*")
    text = kept.read_bytes()
    kept.unlink()
    ann = f"file:{desk.folder / 'ann.pem'}"
    assert "did not prove" in desk.refused("sign", "--key", ann)
    kept.write_bytes(make_request(desk.key("drone_5"), SWARM, "drone_9"))
    assert "not for drone_5 as drafted" in desk.refused("sign", "--key", ann)
    kept.write_bytes(text)
    desk.sign("ann")


def desk_id(desk: Desk, name: str) -> str:
    from swarm_ledger.identity.roster import drone_id

    return drone_id(desk.key(name).public_key)


def test_the_command_makes_requests(tmp_path: Path) -> None:
    key("x").save(tmp_path / "key.pem")
    given = ["request", "--swarm", SWARM, "--name", "drone_1", "--key"]
    mine = f"file:{tmp_path / 'key.pem'}"
    said = call("roster", *given, mine)
    request = open_request(said.out, SWARM)
    assert (request.name, request.public_key) == ("drone_1", key("x").public_key)
    kept = ChannelKeys.load(tmp_path / CHANNEL)
    assert request.channel == kept.public, "channel keys are made beside the root key"
    assert call("roster", *given, mine).out == said.out, "once"
    plain = call("roster", *given, mine, "--no-channel")
    assert open_request(plain.out, SWARM).channel is None
    other = call("roster", *given, mine, "--channel", tmp_path / "other.key")
    assert (
        open_request(other.out, SWARM).channel == ChannelKeys.load(tmp_path / "other.key").public
    )
    both = call("roster", *given, mine, "--no-channel", "--channel", tmp_path / "other.key")
    assert "contradict" in both.refused()
    assert call("roster", *given, "file:nowhere").refused()


def test_a_swarm_gets_channel_keys_all_at_once(desk: Desk) -> None:
    asked = [desk.ask(f"drone_{n}", channel=f"{n}") for n in range(1, 5)]
    said = desk.refused("channel", *asked[:3])
    assert "drone_4 have no channel keys" in said
    drafted = desk.do("channel", *asked)
    assert names(drafted, "changed") == [f"drone_{n}" for n in range(1, 5)]
    desk.sign("ann", "bob")
    roster = load_trust(desk.roster).newest
    assert roster.has_channels
    assert roster.named("drone_1").channel == channel_keys("1")
    shown = desk.do("show")["members"][0]["channel"]
    assert (
        shown["fingerprint"]
        == channel_keys("1").fingerprint
        == f"{shown['curve'][:8]}-{shown['hpke'][:8]}"
    )
    said = desk.refused("add", desk.ask("drone_5"))
    assert "drone_5 have no channel keys" in said
    assert "stands twice" in desk.refused("add", desk.ask("drone_5", channel="1"))
    desk.do("add", desk.ask("drone_5", channel="5"), desk.ask("dan"), "--role", "observer")
    desk.do("rotate", "drone_1", desk.ask("drone_1", "new", channel="1"))
    desk.do("channel", desk.ask("drone_2", channel="other"))
    desk.sign("ann", "bob")
    roster = load_trust(desk.roster).newest
    found = {m.name: m.channel for m in roster.members if m.roles}
    assert found["drone_1"] == channel_keys("1"), "a new root key may keep the channel keys"
    assert found["drone_2"] == channel_keys("other")
    assert found["drone_5"] == channel_keys("5")
    assert found["dan"] is None
    desk.do("channel", *(desk.ask(f"drone_{n}", "new" if n == 1 else "") for n in range(1, 6)))
    desk.sign("ann", "bob")
    assert not load_trust(desk.roster).newest.has_channels


def test_an_operator_signs_no_channel_keys_that_nobody_asked_for(desk: Desk) -> None:
    ann = f"file:{desk.folder / 'ann.pem'}"
    desk.do("channel", *(desk.ask(f"drone_{n}", channel=f"{n}") for n in range(1, 5)))
    (kept,) = (desk.roster / "requests").glob(f"{desk_id(desk, 'drone_2')}*")
    text = kept.read_bytes()
    for said in (make_request(desk.key("drone_2"), SWARM, "drone_2", channel_keys("thief")), b""):
        if said:
            kept.write_bytes(said)
        else:
            kept.unlink()
        assert "drone_2" in desk.refused("sign", "--key", ann)
    kept.write_bytes(text)
    desk.sign("ann")


# drafts and folders that are not what they should be


def test_a_draft_whose_parts_do_not_fit(desk: Desk) -> None:
    desk.do("add", desk.ask("drone_5"))
    draft = desk.roster / "draft"
    roster = (draft / "roster.json").read_bytes()
    swapped = json.loads(roster)
    swapped["members"][7]["key"] = desk.key("evil").public_key.hex()
    (draft / "roster.json").write_text(json.dumps(swapped))
    assert "not that of its roster" in desk.refused("show")
    assert "not that of its roster" in desk.refused("sign", "--key", "file:" + str(
        desk.folder / "ann.pem"))  # fmt: skip
    (draft / "roster.json").write_bytes(roster)
    shutil.copy(desk.roster / "root.json", draft / "root.json")
    assert "root version 2" in desk.refused("show")


def test_signatures_for_another_draft_do_not_count(desk: Desk) -> None:
    desk.do("add", desk.ask("drone_5"))
    desk.sign("ann")
    signed = json.loads((desk.roster / "draft" / "targets.json").read_bytes())["signatures"]
    desk.do("add", desk.ask("drone_6"))
    path = desk.roster / "draft" / "targets.json"
    form = json.loads(path.read_bytes())
    form["signatures"] = signed
    path.write_text(json.dumps(form))
    assert desk.do("show")["draft"]["signatures"][0]["signed"] == []
    desk.sign("bob")
    assert load_trust(desk.roster).newest.version == 1


def test_verify_says_what_does_not_hold(desk: Desk, tmp_path: Path) -> None:
    desk.do("renew")
    desk.sign("ann", "bob")
    newest = desk.roster / "2.roster.json"
    newest.write_bytes(newest.read_bytes() + b" ")
    said = desk.call("verify", "--json")
    assert said.code == 1
    assert not said.json["verified"]
    assert "not the one that was signed" in said.json["error"]
    assert desk.call("verify").code == 1
    assert "holds no roster" in call("roster", "show", tmp_path / "nothing").refused()


def test_verify_refuses_what_has_expired(desk: Desk) -> None:
    """A folder of long ago, validly signed: a freeze."""
    roster = load_trust(desk.roster).newest
    raw = render_roster(SWARM, 2, roster.members)
    past = END.replace(year=2001)
    operators = [desk.key(name) for name in ("ann", "bob")]
    targets = sign_roster(raw, operators, expires=past)
    write_files(desk.roster, {"2.roster.json": raw, "2.targets.json": targets})
    said = desk.call("verify", "--json")
    assert said.code == 1
    assert "expired on 2001" in said.json["error"]
    assert "roster renew" in said.json["error"]


def test_submit_hands_on_what_goes_on_from_there(desk: Desk, tmp_path: Path) -> None:
    there = tmp_path / "there"
    shutil.copytree(desk.roster, there)
    desk.do("revoke", "bob")
    desk.do("add", desk.ask("drone_5"))
    desk.sign("ann", "cat")
    said = desk.call("submit", there)
    assert "2.root.json, 2.roster.json, 2.targets.json" in said.text
    assert load_trust(there).newest == load_trust(desk.roster).newest
    assert "nothing is new" in desk.call("submit", there).text
    back = call("roster", "submit", there, desk.roster)
    assert back.code == 0
    (desk.roster / "2.targets.json").unlink()
    assert "version 2 is gone" in desk.refused("submit", there)
    other = Desk(tmp_path / "other")
    assert other.call("submit", there).code == 1, "of another swarm"


def test_a_version_that_no_entry_can_hold_is_not_handed_on(desk: Desk, tmp_path: Path) -> None:
    """Each change of operators is carried along by all later rosters."""
    there = shutil.copytree(desk.roster, tmp_path / "there")
    operators = [desk.key("ann"), desk.key("bob")]
    for number in range(2, 72):
        raw = sign_root(operators, threshold=2, expires=END, version=number)
        write_files(desk.roster, {f"{number}.root.json": raw})
    roster = render_roster(SWARM, 2, load_trust(desk.roster).newest.members)
    targets = sign_roster(roster, operators, expires=END)
    write_files(desk.roster, {"2.roster.json": roster, "2.targets.json": targets})
    assert "bytes with its roots" in desk.refused("verify")
    assert "at most 65535" in desk.refused("submit", there)
    assert load_trust(there).newest.version == 1


def test_verify_knows_a_later_version_from_a_ledger(tmp_path: Path) -> None:
    """Somebody keeps the newest files from an operator; a drone's ledger tells."""
    crew = Crew()
    write_files(
        tmp_path,
        {"root.json": crew.anchor[0], "targets.json": crew.anchor[1][0]}
        | {"roster.json": crew.raw_roster},
    )
    given = "roster", "verify", tmp_path, "--ledger", tmp_path / "drone", "--json"
    machine, later = Machine(crew.trust), crew.changed(crew.roster)
    (tmp_path / "drone").mkdir()
    with Store.open(tmp_path / "drone" / "ledger.db") as store:
        store.append_block(0, [genesis_entry(crew.roster)], b"")
        assert call(*given).json["verified"]
        applied = machine.apply(1, T0_MS, [roster_request(later)])
        store.append_block(1, applied.entries, b"")
    said = call(*given)
    assert said.code == 1
    assert "has version 2, this folder 1" in said.json["error"]


def test_quickstart_is_ready_to_fly(tmp_path: Path) -> None:
    said = run("roster", "quickstart", "--drones", 5, "--dir", tmp_path / "s", "--json")
    assert said.code == 0, said
    assert said.json["key_store"] == "software"
    fleet = Fleet.load(Path(said.json["fleet"]))
    assert len(fleet.trust.newest.validators) == 5
    assert fleet.path == tmp_path / "s" / FLEET
    assert call("roster", "verify", said.json["roster"], "--json").json["verified"]
    again = call("roster", "quickstart", "--dir", tmp_path / "s").refused()
    assert "already holds" in again
    signed = call("roster", "renew", said.json["roster"], "--json")
    assert signed.json["draft"]["version"] == 2
    done = call(
        "roster", "sign", said.json["roster"], "--key", said.json["operator_key"], "--json"
    )
    assert done.json["version"] == 2


def test_who_is_a_member_only_for_a_time(desk: Desk) -> None:
    span = ["--from", "2030-01-01", "--until", "2030-02-01"]
    drafted = desk.do("add", desk.ask("drone_5"), *span)
    (added,) = drafted["draft"]["added"]
    assert (added["from"], added["until"]) == ("2030-01-01T00:00:00Z", "2030-02-01T00:00:00Z")
    desk.sign("ann", "bob")
    member = load_trust(desk.roster).newest.named("drone_5")
    assert (member.not_before, member.expires) == (1893456000, 1896134400)
    assert "expires before it begins" in desk.refused(
        "add", desk.ask("drone_6"), "--from", "2031-01-01", "--until", "2030-01-01"
    )
