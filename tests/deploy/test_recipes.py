# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Ready `sign:` sections are taken, and name what the pages say; configurations are read."""

from __future__ import annotations

import re
import shutil
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from swarm_ledger.runtime.fleet_file import SignEntry, parse_fleet_file

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DRONE = b"roster: roster\ndrones:\n  - {name: drone_1, key: 'file:k', folder: drone_1}\n"
PX4 = [
    "/fmu/out/register_ext_component_reply",
    "/fmu/out/arming_check_request",
    "/fmu/out/mode_completed",
    "/fmu/out/battery_status",
    "/fmu/out/collision_constraints",
    "/fmu/out/estimator_status_flags",
    "/fmu/out/failsafe_flags",
    "/fmu/out/manual_control_setpoint",
    "/fmu/out/message_format_response",
    "/fmu/out/position_setpoint_triplet",
    "/fmu/out/sensor_combined",
    "/fmu/out/timesync_status",
    "/fmu/out/transponder_report",
    "/fmu/out/vehicle_land_detected",
    "/fmu/out/vehicle_attitude",
    "/fmu/out/vehicle_control_mode",
    "/fmu/out/vehicle_command_ack",
    "/fmu/out/vehicle_global_position",
    "/fmu/out/vehicle_gps_position",
    "/fmu/out/vehicle_local_position",
    "/fmu/out/vehicle_odometry",
    "/fmu/out/vehicle_status",
    "/fmu/out/airspeed_validated",
    "/fmu/out/vtol_vehicle_status",
    "/fmu/out/home_position",
    "/fmu/out/wind",
    "/fmu/out/gimbal_device_attitude_status",
    "/fmu/out/input_rc",
]
"""What PX4's dds_topics.yaml publishes, main of 2026."""
ARDUPILOT = [
    "/ap/time",
    "/ap/navsat",
    "/ap/tf_static",
    "/ap/battery",
    "/ap/imu/experimental/data",
    "/ap/pose/filtered",
    "/ap/twist/filtered",
    "/ap/airspeed",
    "/ap/geopose/filtered",
    "/ap/goal_lla",
    "/ap/clock",
    "/ap/gps_global_origin/filtered",
    "/ap/status",
]
"""What ArduPilot's AP_DDS_Topic_Table.h publishes, master of 2026."""
COMMANDS = [
    "/fmu/in/vehicle_command",
    "/fmu/in/offboard_control_mode",
    "/fmu/in/trajectory_setpoint",
    "/fmu/in/vehicle_command_mode_executor",
    "/ap/joy",
    "/ap/cmd_vel",
    "/ap/tf",
    "/ap/cmd_gps_pose",
]


def sign(name: str) -> SignEntry:
    raw = DRONE + (DEPLOY / "fleet" / f"{name}.yaml").read_bytes()
    found = parse_fleet_file(name, raw).file.sign
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "published", "versioned"),
    [
        ("px4", PX4, "/fmu/out/vehicle_status_v1"),
        ("ardupilot", ARDUPILOT, "/ap/v1/pose/filtered"),
    ],
)
def test_recipes_sign_what_there_is(name: str, published: list[str], versioned: str) -> None:
    entry = sign(name)
    patterns = [*entry.topics, *entry.batched]
    for one in patterns:
        if one.startswith("/"):
            assert [topic for topic in published if fnmatchcase(topic, one)], one
    assert any(fnmatchcase(versioned, one) for one in patterns)
    assert not [one for one in COMMANDS if any(fnmatchcase(one, p) for p in patterns)]
    for topic in published:
        twice = [
            p for kind in (entry.topics, entry.batched) for p in kind if fnmatchcase(topic, p)
        ]
        assert len(twice) <= 1, (topic, twice)


@pytest.mark.parametrize(("name", "published"), [("px4", PX4), ("ardupilot", ARDUPILOT)])
def test_pages_name_what_is_signed_and_how(name: str, published: list[str]) -> None:
    entry = sign(name)
    page = (ROOT / "docs" / f"{name}.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `/")]
    assert rows
    for topic in published:
        singly = any(fnmatchcase(topic, one) for one in entry.topics)
        batched = any(fnmatchcase(topic, one) for one in entry.batched)
        short = topic.rsplit("/", 1)[1] if name == "px4" else topic
        found = [row for row in rows if re.search(rf"`(?:/fmu/out/)?{re.escape(short)}`", row)]
        assert bool(found) == (singly or batched), topic
        if found:
            assert ("one by one" in found[0]) == singly, topic


def test_the_frames_of_px4s_page_are_right() -> None:
    """A nose to the north, level, in NED, is a quarter turn to the left of east in ENU."""

    def times(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, ...]:
        (w, x, y, z), (t, u, v, s) = a, b
        return (
            w * t - x * u - y * v - z * s,
            w * u + x * t + y * s - z * v,
            w * v - x * s + y * t + z * u,
            w * s + x * v - y * u + z * t,
        )

    half = 0.5**0.5
    assert "(0, √½, √½, 0) · q(NED, FRD) · (0, 1, 0, 0)" in (ROOT / "docs/px4.md").read_text()
    level = times(times((0, half, half, 0), (1, 0, 0, 0)), (0, 1, 0, 0))
    assert [round(abs(part), 6) for part in level] == [0.707107, 0, 0, 0.707107]
    assert level[0] * level[3] > 0


@pytest.mark.parametrize("name", ["zenoh_router.json5", "zenoh_session.json5"])
def test_zenoh_takes_its_configurations(name: str) -> None:
    zenoh = pytest.importorskip(
        "zenoh", reason="pip install eclipse-zenoh: it reads its own files"
    )
    found = zenoh.Config.from_file(str(DEPLOY / "dds" / name))
    assert found.get_json("scouting/multicast/enabled") == "false"
    assert int(found.get_json("transport/link/rx/max_message_size")) == 1 << 24
    assert int(found.get_json("transport/unicast/max_sessions")) == 200


def test_cyclone_takes_its_configuration() -> None:
    domain = pytest.importorskip("cyclonedds.domain", reason="pip install cyclonedds")
    text = (DEPLOY / "dds" / "cyclonedds.xml").read_text()
    assert "<AllowMulticast>false" in text
    configured = domain.Domain(98, text)  # raises for a word that it doesn't know
    domain.DomainParticipant(98)
    assert configured


@pytest.mark.parametrize("name", ["server.conf", "client.conf"])
def test_chrony_takes_its_configuration(name: str) -> None:
    chronyd = shutil.which("chronyd", path="/usr/sbin:/sbin:/usr/bin")
    if chronyd is None:
        pytest.skip("chronyd is not installed")
    command = [chronyd, "-p", "-f", str(DEPLOY / "chrony" / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_udev_rules_give_devices_to_groups_and_not_to_all() -> None:
    known = re.compile(
        r"(SUBSYSTEM|KERNEL|ACTION|ENV\{DEVTYPE\}|ATTR\{idVendor\}|GROUP|MODE|TAG|GOTO|LABEL)"
        r'(==|!=|\+=|=)"[^"]*"'
    )
    vendors = set()
    for line in (DEPLOY / "udev" / "60-swarm-ledger.rules").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        parts = line.split(", ")
        assert all(known.fullmatch(part) for part in parts), line
        assert 'MODE="0660"' in parts or not any(part.startswith("MODE") for part in parts)
        vendors |= set(re.findall(r'ATTR\{idVendor\}=="(\w+)"', line))
    assert vendors == {"1050", "20a0", "04e6"}
