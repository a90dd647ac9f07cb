# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Quality of service, one profile for each kind of topic."""

from rclpy.duration import Duration
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSProfile,
    ReliabilityPolicy,
    qos_profile_sensor_data,
)

SENSOR = qos_profile_sensor_data
"""Images and odometry: the newest counts, what is lost is lost."""

ENVELOPES = QoSProfile(
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
    history=HistoryPolicy.KEEP_LAST,
    depth=1000,
)
"""Votes and consensus: a swarm of 100 may send three phases of several batches at once."""

LATCHED = QoSProfile(
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
    history=HistoryPolicy.KEEP_LAST,
    depth=10,
)
"""Decisions and checkpoints: whoever comes late still hears the last ones."""

STATUS_EVERY_S = 0.2
"""How often a drone says where it is."""

HEARTBEAT = QoSProfile(
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    deadline=Duration(seconds=5 * STATUS_EVERY_S),
    liveliness=LivelinessPolicy.AUTOMATIC,
    liveliness_lease_duration=Duration(seconds=50 * STATUS_EVERY_S),
)
"""Where a drone is, and that it is there. The lease is long, as each process tells each other one
several times in it that it lives; a deadline costs nothing on the air. Who asks for as much hears
of a deadline that was missed, and of a process that is gone; who asks for neither hears the rest
all the same."""

DIAGNOSTICS = QoSProfile(
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
    history=HistoryPolicy.KEEP_LAST,
    depth=10,
)
"""As diagnostic_updater publishes them."""

SIGNED = QoSProfile(
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
    history=HistoryPolicy.KEEP_LAST,
    depth=200,
)
"""Signed messages of all drones: a second's worth, then the newest count."""

VERIFIED = QoSProfile(
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
    history=HistoryPolicy.KEEP_LAST,
    depth=10,
)
"""What was verified: reliable, so that each subscriber can hear it, whatever it asks for."""

CLOCK = QoSProfile(
    reliability=ReliabilityPolicy.BEST_EFFORT,
    durability=DurabilityPolicy.VOLATILE,
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
)
"""/clock, as rclpy itself asks for it."""

COMMANDS = QoSProfile(
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
)
"""What a drone is to do: the newest counts, from whoever says it, `ros2 topic pub` as well."""
