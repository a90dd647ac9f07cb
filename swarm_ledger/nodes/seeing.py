# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What other software sees, as labels: our own Observation, and vision_msgs where it is there."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from swarm_interfaces.msg import Observation

from swarm_ledger.errors import Misuse
from swarm_ledger.nodes.convert import millis
from swarm_ledger.nodes.tables.perception import CLASSIFICATION
from swarm_ledger.runtime.labelled import Labelled


def labelled(message: Observation) -> Labelled:
    """Return what somebody's own node says. The drone that it names is not looked at."""
    return Labelled(
        label=message.label,
        confidence=float(message.confidence),
        stamp_ms=millis(message.header.stamp),
        question=bytes(message.question),
        image=bytes(message.image_sha256),
        bearing=float(message.bearing),
        distance=float(message.distance),
    )


def detections_class(name: str) -> Any:
    """Return a class of vision_msgs; Misuse where that isn't installed."""
    try:
        return getattr(importlib.import_module("vision_msgs.msg"), name)
    except (ImportError, AttributeError) as error:
        raise Misuse(
            f"source is detections, and vision_msgs/{name} isn't installed here.",
            remedy="Install ros-$ROS_DISTRO-vision-msgs, or take another source.",
        ) from error


def classes(given: Sequence[str]) -> dict[str, str]:
    """Return labels by a detector's class, from texts CLASS=LABEL; Misuse for any other."""
    found: dict[str, str] = {}
    for one in given:
        name, equals, label = one.rpartition("=")
        if not (name and equals and label) or name in found:
            raise Misuse(
                f"{one!r} among classes does not say which label a class stands for.",
                remedy="Give CLASS=LABEL, each class once.",
            )
        found[name] = label
    if not found:
        raise Misuse(
            "source is detections, and classes is not set.",
            remedy="""Give it: -p classes:="['person=two_faces']".""",
        )
    return found


def detected(message: Any, kind: str, labels: Mapping[str, str]) -> Labelled | None:
    """Return the surest hypothesis of a class that has a label, None if there is none.

    message: vision_msgs' Detection2DArray or Classification, as kind says.
    """
    if kind == CLASSIFICATION:
        hypotheses = list(message.results)
    else:
        each = (one for detection in message.detections for one in detection.results)
        hypotheses = [one.hypothesis for one in each]
    known = [one for one in hypotheses if str(one.class_id) in labels]
    if not known:
        return None
    best = max(known, key=lambda one: float(one.score))
    stamp_ms = millis(message.header.stamp)
    return Labelled(labels[str(best.class_id)], float(best.score), stamp_ms)
