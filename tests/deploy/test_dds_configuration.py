# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""DDS configurations: valid by their schemas, and drones find each other with them."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.surroundings import Peers

DDS = Path(__file__).parents[2] / "deploy" / "dds"


@pytest.mark.parametrize("name", ["fastdds.xml", "fastdds_server.xml"])
def test_profiles_are_valid(name: str) -> None:
    schema = Path(sys.prefix) / "share" / "fastdds" / "fastdds_profiles.xsd"
    if shutil.which("xmllint") is None or not schema.exists():
        pytest.skip("needs xmllint (libxml2-utils) and Fast DDS's schema")
    command = ["xmllint", "--noout", "--schema", str(schema), str(DDS / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_drones_find_each_other_through_the_server_alone(peers: Peers, tmp_path: Path) -> None:
    """With the profiles as they are, but for the server's address. Without a server they would
    use multicast; so a third one that knows another server is to hear nothing.
    """
    server = Path(sys.prefix) / "bin" / "fast-discovery-server"
    if not server.exists():
        pytest.skip("Fast DDS's wheels bring fast-discovery-server; apt's are started otherwise")
    port, nowhere = free_port(), free_port()
    profile = tmp_path / "server.xml"
    text = (DDS / "fastdds_server.xml").read_text()
    profile.write_text(text.replace("0.0.0.0", "127.0.0.1").replace("11811", str(port)))
    peers.run([str(server), "42", "-x", str(profile)]).says("#### Server started ####")
    here, there = (f"127.0.0.1:{one}" for one in (port, nowhere))
    peers.start("publish", "1", "2", profile=DDS / "fastdds.xml", ROS_DISCOVERY_SERVER=here)
    apart = peers.start("listen", profile=DDS / "fastdds.xml", ROS_DISCOVERY_SERVER=there)
    apart.says("listening")
    late = peers.start("listen", profile=DDS / "fastdds.xml", ROS_DISCOVERY_SERVER=here)
    late.says("1", "2", "large 60000")
    assert apart.heard() == ["listening"]
