# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Decision.msg as somebody else wrote it down, for Cyclone DDS, which knows nothing of ROS 2.

No postponed annotations: Cyclone reads them as they stand.
"""

from dataclasses import dataclass

from cyclonedds.core import Policy, Qos
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import (
    array,
    bounded_str,
    int32,
    sequence,
    uint8,
    uint16,
    uint32,
    uint64,
)
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

TOPIC = "rt/swarm/decisions"
LATCHED = Qos(
    Policy.Reliability.Reliable(duration(seconds=1)),
    Policy.Durability.TransientLocal,
    Policy.History.KeepLast(10),
)
LOOPBACK = """
<CycloneDDS><Domain>
<General><Interfaces><NetworkInterface address="127.0.0.1"/></Interfaces>
<AllowMulticast>false</AllowMulticast></General>
<Discovery><ParticipantIndex>auto</ParticipantIndex><Peers><Peer Address="127.0.0.1"/></Peers>
</Discovery>{more}</Domain></CycloneDDS>
"""
IGNORE_FAST_DDS_TYPES = (
    "<Compatibility><IgnoreTypeInformation>1.15</IgnoreTypeInformation></Compatibility>"
)


@dataclass
class Time(IdlStruct, typename="builtin_interfaces::msg::dds_::Time_"):
    sec: int32
    nanosec: uint32


@dataclass
class Header(IdlStruct, typename="std_msgs::msg::dds_::Header_"):
    stamp: Time
    frame_id: str


@dataclass
class Decision(IdlStruct, typename="swarm_interfaces::msg::dds_::Decision_"):
    header: Header
    outcome: uint8
    number: uint64
    question: array[uint8, 32]
    subject: bounded_str[64]
    label: bounded_str[32]
    labels: sequence[bounded_str[32], 16]
    counts: sequence[uint16, 16]
    abstentions: uint16
    voided: uint16
    voters: uint16
    height: uint64
    ledger_index: uint64
    opened: Time
    ledger_time: Time


class Stranger:
    """A participant that reads the latched decisions. more: of Cyclone's configuration."""

    def __init__(self, domain: int, more: str = "") -> None:
        self._domain = Domain(domain, LOOPBACK.format(more=more))
        self._participant = DomainParticipant(domain)
        topic = Topic(self._participant, TOPIC, Decision, qos=LATCHED)
        self._reader = DataReader(self._participant, topic, qos=LATCHED)
        self.heard: list[Decision] = []

    def listen(self) -> None:
        """Take in what has come."""
        self.heard += self._reader.take(10)
