# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""An unknown device on the ZeroMQ port: it gets nothing in, hears nothing out, stops nobody."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from swarm_ledger.errors import Misuse
from swarm_ledger.identity import edits
from swarm_ledger.identity.channel import CHANNEL, ChannelKeys
from swarm_ledger.runtime.fleet_file import DroneEntry
from swarm_ledger.sim import wiring as wirings
from swarm_ledger.sim.mission import KEY
from tests.wired import Wired, free_port, without_channels

MARK = b"from a stranger"
OTHERS = ("drone_1", "drone_2", "drone_3")
FOUR = (*OTHERS, "drone_4")
LEFT = (*OTHERS, "drone_5")


@pytest.fixture
def wired(tmp_path: Path) -> Iterator[Wired]:
    with closing(Wired(tmp_path / "run")) as made:
        yield made


@contextmanager
def stranger(address: str, dress: Callable[[Any], None]) -> Iterator[Any]:
    """A socket that keeps trying to say something to a drone."""
    with zmq.Context() as context:
        one = context.socket(zmq.DEALER)
        one.set(zmq.LINGER, 0)
        one.set(zmq.RECONNECT_IVL, 20)
        dress(one)
        one.connect(address)
        one.send(MARK, zmq.DONTWAIT)
        yield one
        one.close(linger=0)


def with_keys(server: bytes, public: bytes, secret: bytes) -> Callable[[Any], None]:
    def dress(one: Any) -> None:
        one.set(zmq.CURVE_SERVERKEY, server)
        one.set(zmq.CURVE_PUBLICKEY, public)
        one.set(zmq.CURVE_SECRETKEY, secret)

    return dress


def in_plain(one: Any) -> None:
    """No mechanism at all."""


def with_password(one: Any) -> None:
    one.set(zmq.PLAIN_USERNAME, b"drone_2")
    one.set(zmq.PLAIN_PASSWORD, b"drone_2")


def channel_of(wired: Wired, name: str) -> ChannelKeys:
    return ChannelKeys.load(wired.folder / name / CHANNEL)


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        ("null", "no_curve"),
        ("plain", "no_curve"),
        ("unknown key", "unknown_key"),
        ("a member's public key", "bad_handshake"),
        ("a member's key for another purpose", "unknown_key"),
        ("another server's key", "bad_handshake"),
    ],
)
def test_a_stranger_gets_nothing_in_and_hears_nothing(wired: Wired, who: str, reason: str) -> None:
    one, two = channel_of(wired, "drone_1"), channel_of(wired, "drone_2")
    mine = ChannelKeys(os.urandom(32))
    dress = {
        "null": in_plain,
        "plain": with_password,
        "unknown key": with_keys(one.curve, mine.curve, mine.curve_secret),
        "a member's public key": with_keys(one.curve, two.curve, mine.curve_secret),
        "a member's key for another purpose": with_keys(one.curve, two.hpke, two.hpke_secret),
        "another server's key": with_keys(mine.curve, two.curve, two.curve_secret),
    }[who]
    wired.start()
    with stranger(wired.address("drone_1"), dress) as guest:
        wired.until("it is refused", lambda: wired.refused("drone_1", reason) > 0)
        wired.go_on()
        assert not guest.poll(0)
    assert MARK not in wired.heard["drone_1"]
    assert wired.report("drone_1")["links"] == "curve"
    said = [
        f for name, event, f in wired.events if (name, event) == ("drone_1", "stranger_refused")
    ]
    told = [fields["reason"] for fields in said]
    assert told[0] == reason
    assert len(set(told)) == len(told), "told once, however often it tries"
    assert set(told) <= {reason, "no_curve"}, "on a busy machine a try may break off early"
    assert (mine.curve.hex() in said[0]["what"]) == (who == "unknown key")


def test_a_member_s_own_key_does_get_in(wired: Wired) -> None:
    """What the test above rests on: with the right keys the same stranger is heard."""
    one, two = channel_of(wired, "drone_1"), channel_of(wired, "drone_2")
    wired.start()
    with stranger(wired.address("drone_1"), with_keys(one.curve, two.curve, two.curve_secret)):
        wired.until("it is heard", lambda: MARK in wired.heard["drone_1"])


def test_bytes_that_are_not_zeromq_s(wired: Wired) -> None:
    wired.start()
    wired.go_on(blocks=2)
    port = int(wired.address("drone_1").rpartition(":")[2])
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00"
    for junk in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x01\x00" + MARK,
        greeting + b"NULL" + bytes(16) + b"\0" + bytes(31) + b"\x00\x0f" + MARK,
        greeting + b"CURVE" + bytes(15) + b"\0" + bytes(31) + os.urandom(500),
        os.urandom(5_000),
        bytes(5_000),
        greeting[:5],
    ):
        with socket.create_connection(("127.0.0.1", port)) as end:
            end.sendall(junk)
            wired.go_on(blocks=3)
    assert not any(MARK in message for message in wired.heard["drone_1"])


@pytest.mark.parametrize("encrypted", [False, True])
def test_who_takes_a_dead_drone_s_address_hears_nothing(wired: Wired, encrypted: bool) -> None:
    wired.start()
    wired.go_on(blocks=3)
    wired.stop("drone_4")
    mine = ChannelKeys(os.urandom(32))
    with zmq.Context() as context:
        squatter = context.socket(zmq.ROUTER)
        squatter.set(zmq.LINGER, 0)
        if encrypted:
            squatter.set(zmq.CURVE_SERVER, 1)
            squatter.set(zmq.CURVE_SECRETKEY, mine.curve_secret)
        left = squatter.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        squatter.bind(wired.address("drone_4"))
        wired.until("the others came to it, and left", lambda: left.poll(0) > 0)
        wired.go_on(OTHERS)
        assert not squatter.poll(0)
        squatter.disable_monitor()
        squatter.close()
        left.close()
    wired.start("drone_4")
    wired.go_on()


def test_who_is_revoked_is_cut_off_in_flight(tmp_path: Path) -> None:
    with closing(Wired(tmp_path / "run", drones=5)) as wired:
        wired.start(*OTHERS, "drone_4", "drone_5")
        wired.go_on(blocks=3)
        _revoked_in_flight(wired)


def _revoked_in_flight(wired: Wired) -> None:
    wired.in_epoch(wired.change(lambda members: edits.revoke(members, ["drone_4"])), LEFT)
    gone = wired.flown["drone_4"]
    before = {name: len(wired.heard[name]) for name in (*LEFT, "drone_4")}
    wired.until(
        "it has come back with its key, and was refused by all",
        lambda: all(wired.refused(name, "unknown_key") for name in LEFT),
    )
    # Its old key, with the bytes of a member that would be heard, by a transport of its own.
    for _ in range(50):
        gone.wiring.broadcast(MARK)
        wired.step()
    wired.go_on(LEFT)
    for name in LEFT:
        assert MARK not in wired.heard[name][before[name] :]
    silent = len(wired.heard["drone_4"])
    wired.go_on(LEFT)
    assert len(wired.heard["drone_4"]) == silent, "nobody speaks to it any more"
    wired.stop("drone_4")
    three = channel_of(wired, "drone_3")
    four = channel_of(wired, "drone_4")
    with stranger(wired.address("drone_3"), with_keys(three.curve, four.curve, four.curve_secret)):
        before_it = wired.refused("drone_3", "unknown_key")
        wired.until("again", lambda: wired.refused("drone_3", "unknown_key") > before_it)
    assert MARK not in wired.heard["drone_3"]


def test_a_member_joins_in_flight(wired: Wired) -> None:
    wired.start()
    wired.go_on(blocks=3)
    entry = DroneEntry(
        "drone_5", f"file:drone_5/{KEY}", "drone_5", f"tcp://127.0.0.1:{free_port()}"
    )
    wired.rewrite(lambda entries: [*entries, entry])
    wired.in_epoch(wired.change(wired.ask("drone_5")))
    wired.start("drone_5")
    wired.until("drone_5 takes part", lambda: wired.flown["drone_5"].drone.standing == "member")
    wired.go_on()
    assert {wired.report(name)["links"] for name in wired.flown} == {"curve"}


def test_a_drone_is_restarted_and_heard_again(wired: Wired) -> None:
    wired.start()
    wired.go_on(blocks=3)
    for name in ("drone_2", "drone_3"):
        wired.stop(name)
        wired.go_on(set(wired.flown), blocks=3)
        wired.start(name)
        wired.go_on()


def test_a_channel_key_is_changed(wired: Wired) -> None:
    """The drone is restarted with its new key; the old one is worth nothing from then on."""
    wired.start()
    wired.go_on(blocks=3)
    one, old = channel_of(wired, "drone_1"), channel_of(wired, "drone_4")
    wired.stop("drone_4")
    (wired.folder / "drone_4" / CHANNEL).rename(wired.folder / "old.key")
    edit = wired.ask("drone_4")
    assert channel_of(wired, "drone_4").public != old.public
    wired.in_epoch(wired.change(edit), OTHERS)
    wired.start("drone_4")
    wired.go_on()
    with stranger(wired.address("drone_1"), with_keys(one.curve, old.curve, old.curve_secret)):
        wired.until("it is refused", lambda: wired.refused("drone_1", "unknown_key") > 0)
    assert MARK not in wired.heard["drone_1"]


def test_a_key_changed_while_it_flies_is_taken_up_from_its_folder(wired: Wired) -> None:
    wired.start()
    wired.go_on(blocks=3)
    shutil.move(wired.folder / "drone_4" / CHANNEL, wired.folder / "old.key")
    wired.in_epoch(wired.change(wired.ask("drone_4")))
    wired.go_on()


def test_encryption_begins_and_ends_in_flight(wired: Wired, monkeypatch: Any) -> None:
    monkeypatch.setattr(wirings, "PATIENCE_MS", 1_000)
    wired.start()
    wired.go_on(blocks=3)
    wired.in_epoch(wired.change(without_channels))
    wired.go_on()
    assert {wired.report(name)["links"] for name in wired.flown} == {"plain"}

    wired.in_epoch(wired.change(all_have(wired)))
    wired.go_on()
    assert {wired.report(name)["links"] for name in wired.flown} == {"curve"}

    # A folder of before, in which nothing is encrypted; the ledger knows better.
    wired.stop("drone_4")
    for name in ("3.roster.json", "3.targets.json"):
        (wired.directory / name).unlink()
    (wired.folder / "drone_4" / "roster.seen").unlink()
    opened: list[str] = []
    real = wirings.ZmqTransport

    def noted(*given: Any) -> Any:
        made = real(*given)
        opened.append(made.links)
        return made

    monkeypatch.setattr(wirings, "ZmqTransport", noted)
    wired.start("drone_4")
    wired.go_on()
    assert opened == ["curve"], "no socket was ever open in plain"


def all_have(wired: Wired) -> Callable[[Any], Any]:
    def edit(members: Any) -> Any:
        for name in FOUR:
            members = wired.ask(name)(members)
        return members

    return edit


def test_who_is_behind_goes_over_to_encryption_all_the_same(
    wired: Wired, monkeypatch: Any
) -> None:
    """Else it would wait in plain for others who speak no plain any more."""
    monkeypatch.setattr(wirings, "PATIENCE_MS", 1_000)
    wired.start()
    wired.in_epoch(wired.change(without_channels))
    for name in OTHERS:
        wired.stop(name)
    assert wired.change(all_have(wired)) == 3
    wired.until("it goes over", lambda: wired.report("drone_4")["links"] == "curve")
    assert wired.flown["drone_4"].drone.roster.version == 2
    wired.start(*OTHERS)
    wired.in_epoch(3)
    wired.go_on()


@pytest.mark.parametrize("how", ["missing", "damaged", "another", "open"])
def test_a_drone_without_its_keys_does_not_fly_in_plain(wired: Wired, how: str) -> None:
    path = wired.folder / "drone_1" / CHANNEL
    if how == "damaged":
        path.write_bytes(b"?")
    elif how == "open":
        path.chmod(0o644)
    else:
        path.unlink()
        if how == "another":
            ChannelKeys(bytes(32)).save(path)
    with pytest.raises(Misuse) as caught:
        wired.start("drone_1")
    assert not wired.flown
    assert caught.value.remedy, caught.value
    said = {"missing": "there are no", "damaged": "damaged", "another": "not those", "open": "may"}
    assert said[how] in caught.value.what
    with socket.create_server(("127.0.0.1", int(wired.address("drone_1").rpartition(":")[2]))):
        pass  # nothing listens there


def test_keys_may_be_elsewhere(wired: Wired) -> None:
    (wired.folder / "drone_1" / CHANNEL).rename(wired.folder / "one.key")
    wired.rewrite(
        lambda entries: [msgspec.structs.replace(entries[0], channel="one.key"), *entries[1:]]
    )
    wired.start()
    wired.go_on(blocks=2)
