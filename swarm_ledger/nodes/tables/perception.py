# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What perception can be told."""

from swarm_ledger.nodes.parameters import AUTOSTART, Table, text, texts, whole

CAMERA, LABELS, DETECTIONS = SOURCES = ("camera", "labels", "detections")
RAW, COMPRESSED = TRANSPORTS = ("raw", "compressed")
DETECTION_ARRAY, CLASSIFICATION = DETECTION_TYPES = ("Detection2DArray", "Classification")
ODOM, TF, NONE = POSITIONS = ("odom", "tf", "none")

TABLE = Table(
    node="perception",
    purpose="Makes looks of what a drone sees: of images, or of labels that other software gives.",
    executables=("drone",),
    lifecycle=True,
    parameters=(
        text(
            "source",
            "what looks are made of: images on camera/image, labels on labels, or vision_msgs "
            "on detections",
            CAMERA,
            SOURCES,
        ),
        text(
            "image_transport",
            "how images come: raw on camera/image, or JPEG and PNG on camera/image/compressed",
            RAW,
            TRANSPORTS,
        ),
        text("model", "path of a model, .npz or .onnx; empty: the one that is shipped", ""),
        text(
            "detections_type",
            "which of vision_msgs' types is on detections",
            DETECTION_ARRAY,
            DETECTION_TYPES,
        ),
        texts(
            "classes",
            "which label a detector's class stands for",
            "each as CLASS=LABEL, such as 'person=two_faces'; other classes are left out",
        ),
        whole("max_age_ms", "how old a label or a detection may be, ms", 2_000, (10, 60_000)),
        text(
            "position",
            "where bearing and distance come from: odometry on odom, TF from map to the image's "
            "frame, or nowhere: then they are unmeasured",
            ODOM,
            POSITIONS,
        ),
        AUTOSTART,
    ),
)
