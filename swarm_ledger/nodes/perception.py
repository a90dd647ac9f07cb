# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The perception node: images or labels in, looks out, while somebody wants them."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Protocol

from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import CompressedImage, Image
from swarm_interfaces.msg import Observation

from swarm_ledger.encoding import digest
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.nodes.clock import NodeTime
from swarm_ledger.nodes.convert import millis, pixels
from swarm_ledger.nodes.diagnostics import Reporter
from swarm_ledger.nodes.health import Finding, Level
from swarm_ledger.nodes.lifecycle import ManagedNode
from swarm_ledger.nodes.qos import SENSOR
from swarm_ledger.nodes.seeing import classes, detected, detections_class, labelled
from swarm_ledger.nodes.tables.perception import CAMERA, COMPRESSED, LABELS, TABLE
from swarm_ledger.nodes.whereabouts import whereabouts
from swarm_ledger.perception import Classifier
from swarm_ledger.perception.frames import Picture, from_compressed
from swarm_ledger.runtime.labelled import Labelled, looks
from swarm_ledger.runtime.voter import Look
from swarm_ledger.voting.tally import OpenQuestion

_REPORT_S = 1.0
_COMPLAIN_S = 5.0
_WINDOW_S = 10.0


class Viewer(Protocol):
    """Whoever votes by what is seen here."""

    name: str
    time: NodeTime

    @property
    def hardware_id(self) -> str:
        """What diagnostics know it by."""

    def wanted(self) -> bool:
        """Whether another look would help now."""

    def questions(self) -> tuple[OpenQuestion, ...]:
        """Return what is asked now."""

    def look(self, look: Look) -> None:
        """Take in a look."""


class PerceptionNode(ManagedNode):
    """Judges `camera/image`, or takes over what `labels` or `detections` say, as `source` has it.

    viewer: receives the looks; classifier: makes one of the path of a model, "" for ours.
    """

    def __init__(
        self,
        viewer: Viewer,
        classifier: Callable[[str], Classifier],
        **node_arguments: Any,
    ) -> None:
        super().__init__("perception", TABLE, **node_arguments)
        self._viewer, self._load = viewer, classifier
        self.refused: Counter[str] = Counter()
        self._last_error = ""
        self._looks_s: deque[float] = deque()

    def open(self) -> None:
        """Load the model, or find the types of what is taken over; the drone goes first."""
        if not self._viewer.hardware_id:
            raise Misuse(
                f"the node of {self._viewer.name} is not configured yet.",
                remedy="Configure drone first, then perception.",
            )
        source = self.given.text("source")
        if source == CAMERA:
            self._classifier = self._load(self.given.text("model"))
        elif source != LABELS:
            self._kind = self.given.text("detections_type")
            self._classes = classes(self.given.texts("classes"))
            self._form = detections_class(self._kind)
        self._reporter = Reporter(self, self._viewer.name, self._viewer.hardware_id)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_REPORT_S, self._on_report, clock=steady)

    def start(self) -> None:
        """Listen to what there is to see."""
        self._where = whereabouts(self, self.given.text("position"))
        source = self.given.text("source")
        if source == LABELS:
            self.create_subscription(Observation, "labels", self._on_label, SENSOR)
        elif source != CAMERA:
            self.create_subscription(self._form, "detections", self._on_detections, SENSOR)
        elif self.given.text("image_transport") == COMPRESSED:
            topic = "camera/image/compressed"
            self.create_subscription(CompressedImage, topic, self._on_compressed, SENSOR)
        else:
            self.create_subscription(Image, "camera/image", self._on_image, SENSOR)

    def _on_image(self, message: Image) -> None:
        def read() -> tuple[Picture, bytes]:
            picture = pixels(message)
            return picture, digest(picture.tobytes())

        self._see(message.header, read)

    def _on_compressed(self, message: CompressedImage) -> None:
        data = bytes(message.data)
        self._see(message.header, lambda: (from_compressed(data), digest(data)))

    def _see(self, header: Any, read: Callable[[], tuple[Picture, bytes]]) -> None:
        now_ms, stamp_ms = self._viewer.time.now_ms(), millis(header.stamp)
        if not (now_ms and stamp_ms > 0 and self._viewer.wanted()):
            return
        try:
            picture, hashed = read()
            perceived = self._classifier.classify(picture)
        except PeerFault as fault:
            self._refuse(fault)
            return
        except Misuse as error:
            self._refuse(PeerFault("not_judged", error.what, remedy=error.remedy))
            return
        signed_ms = min(self._viewer.time.as_signed(stamp_ms), now_ms)
        self._take(Look(perceived, signed_ms, hashed, *self._where.at(header)))

    def _on_label(self, message: Observation) -> None:
        self._take_over(labelled(message), message.header)

    def _on_detections(self, message: Any) -> None:
        found = detected(message, self._kind, self._classes)
        if found is not None:
            self._take_over(found, message.header)

    def _take_over(self, said: Labelled, header: Any) -> None:
        clock = self._viewer.time
        now_ms = clock.now_ms()
        if not now_ms:
            return
        if math.isnan(said.bearing) and math.isnan(said.distance):
            bearing, distance = self._where.at(header)
        else:
            bearing, distance = said.bearing, said.distance
        said = Labelled(
            said.label,
            said.confidence,
            clock.as_signed(said.stamp_ms),
            said.question,
            said.image,
            bearing,
            distance,
        )
        max_age_ms = self.given.whole("max_age_ms")
        try:
            for look in looks(said, self._viewer.questions(), now_ms, max_age_ms):
                self._take(look)
        except PeerFault as fault:
            self._refuse(fault)

    def _take(self, look: Look) -> None:
        self._looks_s.append(time.monotonic())
        self._viewer.look(look)

    def _refuse(self, fault: PeerFault) -> None:
        self.refused[fault.reason] += 1
        self._last_error = fault.explain()
        self.get_logger().error(fault.explain(), throttle_duration_sec=_COMPLAIN_S)

    def _on_report(self) -> None:
        self._reporter.report([self._finding()])

    def _finding(self) -> Finding:
        since_s = time.monotonic() - _WINDOW_S
        while self._looks_s and self._looks_s[0] < since_s:
            self._looks_s.popleft()
        rate = len(self._looks_s) / _WINDOW_S
        values = {
            "source": self.given.text("source"),
            "rate_hz": f"{rate:.1f}",
            "last_error": self._last_error,
            **self.refused,
        }
        if not self.active:
            return Finding("looks", Level.WARN, "is not active", values)
        if self._viewer.wanted() and not self._looks_s:
            said = "a question is open, and nothing to look at comes"
            return Finding("looks", Level.WARN, said, values)
        return Finding("looks", Level.OK, f"{rate:.1f} looks a second", values)
