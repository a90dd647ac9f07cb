# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""RViz's view against the topics and frames that a launched swarm has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from tests.launching import ROOT


def displays(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in found:
        yield one
        yield from displays(one.get("Displays", []))


def test_view_shows_odometry_and_cameras_as_they_are_published() -> None:
    view = yaml.safe_load((ROOT / "config" / "swarm.rviz").read_text())
    manager = view["Visualization Manager"]
    assert manager["Global Options"]["Fixed Frame"] == "map"
    shown = list(displays(manager["Displays"]))
    kinds = {one["Class"].rpartition("/")[2] for one in shown}
    assert {"TF", "Odometry", "Image", "Axes", "Grid"} <= kinds
    topics = {one["Topic"]["Value"]: one["Topic"] for one in shown if "Topic" in one}
    drones = range(1, 11)
    assert set(topics) == {
        f"/drone_{n}/{topic}" for n in drones for topic in ("odom", "camera/image")
    }
    # Sensor data is best effort: a display that asks for more hears nothing.
    assert {one["Reliability Policy"] for one in topics.values()} == {"Best Effort"}
    assert {one["Durability Policy"] for one in topics.values()} == {"Volatile"}
    names = [(one["Class"], one["Name"]) for one in shown]
    assert len(names) == len(set(names))
