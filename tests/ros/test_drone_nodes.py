# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Drone nodes in one process: they decide, stop and go on, and tell the truth about themselves."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from swarm_interfaces.msg import SwarmStatus

from swarm_ledger.audit.ledger import open_ledger, verify_ledger
from swarm_ledger.errors import Misuse
from swarm_ledger.nodes.drone import DroneNode
from swarm_ledger.nodes.qos import HEARTBEAT
from tests.ros.squad import Squad, overrides


@pytest.fixture
def squad(ros: None, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Squad]:
    made = Squad(tmp_path, **getattr(request, "param", {}))
    yield made
    made.close()


def decided(squad: Squad) -> bool:
    return len({d.label for d in squad.heard["/swarm/decisions"]}) == 1


def statuses(squad: Squad) -> dict[str, Any]:
    """Return the last diagnostic status by its name."""
    arrays = squad.heard["/diagnostics"]
    return {status.name: status for array in arrays for status in array.status}


@pytest.mark.parametrize("squad", [{"transport": "ros"}, {"transport": "zmq"}], indirect=True)
def test_a_swarm_decides_by_labels_stops_and_goes_on(squad: Squad) -> None:
    squad.begin()
    one, status = squad.drones["drone_1"], SwarmStatus
    squad.until("all are idle", lambda: all(d.wanted() for d in squad.drones.values()))
    assert squad.drones["drone_1"]._helm is not None
    links = squad.drones["drone_1"]._helm.status()["links"]
    assert links == ("curve" if squad.fleet.file.transport == "zmq" else "dds")
    squad.until("it is decided", lambda: decided(squad), lambda: squad.say("two_faces"))
    assert squad.heard["/swarm/decisions"][0].label == "two_faces"
    squad.until("latency is told", lambda: squad.last("drone_1").commit_latency > 0)
    assert squad.last("drone_1").peers_heard == squad.last("drone_1").peers_expected == 3
    assert squad.last("drone_1").key_store == status.KEY_STORE_SOFTWARE
    one.trigger_deactivate()
    height = one._store.height
    squad.until(
        "others know that it stopped",
        lambda: (
            squad.last("drone_1").phase == status.PHASE_STOPPED
            and squad.last("drone_2").peers_heard == 2
        ),
    )
    assert not one.wanted()
    assert squad.last("drone_1").height == height
    one.trigger_activate()
    squad.until("it is back", lambda: squad.last("drone_2").peers_heard == 3)
    squad.until("it is idle", lambda: squad.last("drone_1").phase == status.PHASE_IDLE)
    one.trigger_deactivate()
    one.trigger_cleanup()
    with open_ledger(squad.mission.run_dir / "drone_1") as store:
        verify_ledger(store, squad.fleet.trust)


def test_diagnostics_tell_who_it_is_and_how_it_is(squad: Squad) -> None:
    squad.begin()
    member = squad.fleet.member("drone_2")
    squad.until("a quorum is heard", lambda: squad.last("drone_2").peers_heard == 3)
    squad.heard["/diagnostics"].clear()
    about = ("consensus", "identity", "links", "peers", "clocks", "time", "looks")
    nodes = dict.fromkeys(about, "drone") | {"looks": "perception"}
    names = {what: f"{nodes[what]}: drone_2: {what}" for what in about}
    squad.until(
        "all is told",
        lambda: (
            names["consensus"] in statuses(squad)
            and any(v.key == "bad_label" for v in statuses(squad)[names["looks"]].values)
            if names["looks"] in statuses(squad)
            else False
        ),
        lambda: squad.say("neither", "drone_2"),  # in vain until it knows the question
    )
    found = {what: statuses(squad)[name] for what, name in names.items()}
    assert {status.hardware_id for status in found.values()} == {member.drone_id}
    assert found["identity"].level == b"\x01"
    assert "in software" in found["identity"].message
    values = {value.key: value.value for value in found["identity"].values}
    assert values["key_fingerprint"] == member.drone_id
    assert (values["drone"], values["key_store"]) == ("drone_2", "software")
    values = {value.key: value.value for value in found["consensus"].values}
    assert (values["peers"], values["standing"]) == ("3 of 3", "member")
    values = {value.key: value.value for value in found["looks"].values}
    assert "'neither' is no answer" in values["last_error"]


def test_a_heartbeat_that_stops_is_noticed(squad: Squad) -> None:
    """By whoever asks for it: the offer has a deadline and a lease."""
    name = "rclpy.event_handler" if find_spec("rclpy.event_handler") else "rclpy.qos_event"
    callbacks = importlib.import_module(name).SubscriptionEventCallbacks
    squad.begin()
    (offered,) = squad.tester.get_publishers_info_by_topic("/drone_1/status")
    assert offered.qos_profile.deadline.nanoseconds == 1_000_000_000
    missed: list[Any] = []
    events = callbacks(deadline=missed.append)
    squad.tester.create_subscription(
        SwarmStatus, "/drone_1/status", lambda message: None, HEARTBEAT, event_callbacks=events
    )
    squad.until("it is there", lambda: squad.last("drone_1").drone == "drone_1")
    squad.drones["drone_1"].end()
    squad.until("it is missed", lambda: bool(missed))


def test_a_fleet_file_that_is_wrong_can_be_mended(squad: Squad) -> None:
    path = squad.mission.run_dir / "fleet.yaml"
    right = path.read_text()
    path.write_text(right.replace("folder: drone_1", "foldr: drone_1"))
    one = squad.drones["drone_1"]
    one.trigger_configure()
    assert isinstance(one.trouble, Misuse)
    assert "foldr" in one.trouble.explain()
    with pytest.raises(Misuse, match="foldr"):
        one.begin()
    with pytest.raises(Misuse, match="not configured yet"):
        squad.perceptions["drone_1"].begin()
    path.write_text(right)
    one.begin()
    squad.perceptions["drone_1"].begin()
    assert one.active


def test_a_name_that_is_not_in_the_fleet_is_refused(ros: None, tmp_path: Path) -> None:
    squad = Squad(tmp_path)
    told = {"fleet": str(tmp_path / "fleet.yaml"), "drone": "drone_9"}
    stranger = DroneNode(parameter_overrides=overrides(told))
    with pytest.raises(Misuse, match="drone_9"):
        stranger.begin()
    assert not stranger.active
    stranger.destroy_node()
    squad.close()
