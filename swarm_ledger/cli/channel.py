# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The radio channel that options describe."""

from __future__ import annotations

import msgspec

from swarm_ledger.errors import Misuse
from swarm_ledger.runtime.fleet_file import RadioEntry


def channel_of(profile: str | None, bitrate: int, duty_cycle: float) -> RadioEntry | None:
    """Return the channel that options describe, None for none; Misuse where there is none such."""
    if profile is None:
        return None
    given = {"profile": profile, "bitrate": bitrate, "duty_cycle": duty_cycle}
    try:
        return msgspec.convert(given, RadioEntry)
    except msgspec.ValidationError as error:
        raise Misuse(
            f"no such channel: {error}.",
            remedy="Take --profile lpwan, --bitrate 100 to 1000000, --duty-cycle up to 1.",
        ) from error
