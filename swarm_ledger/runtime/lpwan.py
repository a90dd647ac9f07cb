# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The profile for narrow links: all times follow from bit rate, number of drones and duty cycle.

docs/radio.md has the formula in words. What is counted are short forms (transport/shorthand.py),
each in a frame of its own, on a channel that all hear, with nothing lost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from swarm_ledger.consensus.quorum import quorum
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.errors import Misuse
from swarm_ledger.runtime.rhythm import Rhythm
from swarm_ledger.transport.radio import MAX_STATIONS, Link

VOTE, QUESTION, PROPOSAL, PER_REQUEST = 128, 138, 90, 5
STATEMENT, CHECKPOINT = 80, 158
STATUS, CLOCK, PER_ECHO, HELLO = 76, 69, 11, 207
"""Bytes of short forms in a frame, with their length and address; a frame has one byte more."""

_FRAME = 1
_MAX_ECHOES = 16
_TURN_MS = 0.5
_DETECT_BITS = 16

_IDLE_SHARE = 0.1
"""Of the channel, for what is said when nothing happens."""
_IDLE_DUTY = 0.25
"""Of what a drone may say at all, for the same."""

_LEAST_RESEND_MS, _LEAST_TIMEOUT_MS = 250, 2_000
_PATIENCE = 6
_QUIET = 4
_CLOCKS, _HELLOS, _ANSWERS = 4, 8, 64
"""A clock each so many reports of state, a session shown, one answered that is known."""

SLOWEST_DECISION_S = 60.0
"""What takes longer on the air than that is refused: it matters no more when it is there."""

LONGEST_SILENCE_S = 600.0
"""Nor is a swarm any use whose drones report more rarely than that."""

_MOST_BITS = 1_000_000


@dataclass(frozen=True)
class Traffic:
    """What one decision takes, and what is said when nothing happens. Bytes are on the air.

    messages: of one decision; decision_bytes: all of it, from the question to the certificate;
    decision_s: how long the channel is busy with it, pauses included. gather_s: until all votes
    are said. idle_bytes: of one drone, from one report of its state to the next; idle_s: how long
    they are on the air.
    """

    messages: int
    decision_bytes: int
    decision_s: float
    gather_s: float
    idle_bytes: float
    idle_s: float


def traffic(n: int, link: Link) -> Traffic:
    """Return what n drones have to say, by the sizes above."""
    q, beside = quorum(n), _FRAME + link.overhead

    def agreed(requests: int) -> tuple[int, int]:
        said = q - 1 + n  # prepares of a quorum with the proposal, commits of all
        return 1 + said, PROPOSAL + PER_REQUEST * requests + said * STATEMENT + (1 + said) * beside

    asked, voted = agreed(1), agreed(n)
    votes = n * (VOTE + beside)
    tail = (n - q) * (STATEMENT + beside)  # what is still said of the question's block
    certified = q * (CHECKPOINT + beside)
    messages = 1 + asked[0] + n + voted[0] + q
    total = QUESTION + beside + asked[1] + votes + voted[1] + certified
    echoes = min(n - 1, _MAX_ECHOES)
    clock = CLOCK + PER_ECHO * echoes + beside
    idle = STATUS + beside + clock / _CLOCKS + (HELLO + beside) / _HELLOS

    def seconds(size: float, frames: float) -> float:
        slot_s = _TURN_MS / 1_000 + _DETECT_BITS / link.bit_rate
        return 8 * size / link.bit_rate + frames * slot_s * (n + 1) / 2

    gather_s = seconds(votes + tail, 2 * n - q)
    idle_s = 8 * idle / link.bit_rate
    return Traffic(messages, total, seconds(total, messages), gather_s, idle, idle_s)


@dataclass(frozen=True)
class Profile:
    """Times for n drones on a link; Misuse where no decision could be had in useful time."""

    n: int
    link: Link

    def __post_init__(self) -> None:
        if not 4 <= self.n < MAX_STATIONS:
            raise Misuse(f"a channel has room for 4 to {MAX_STATIONS - 1} drones, not {self.n}.")
        why = _impossible(self.n, self.link)
        if why:
            raise Misuse(
                f"{self.n} drones can't decide at {self.link.bit_rate:,} bit/s, each on the air "
                f"for {self.link.duty_cycle:.4g} of the time: {why}.",
                remedy=_remedy(self.n, self.link),
            )

    @property
    def report_ms(self) -> int:
        """How often a drone reports where it is when nothing happens."""
        return _QUIET * self.resend_ms

    @property
    def resend_ms(self) -> int:
        """How long to wait for progress before repeating oneself."""
        return max(_LEAST_RESEND_MS, round(1_000 * _resend_s(self.n, self.link)))

    def settings(self, given: Settings) -> Settings:
        """Return consensus settings for the link; what a fleet set otherwise than usual stays."""
        gather_ms = round(1_000 * traffic(self.n, self.link).gather_s)
        timeout_ms = max(_LEAST_TIMEOUT_MS, _PATIENCE * self.resend_ms)
        wanted: dict[str, Any] = {
            "gather_ms": gather_ms,
            "batch_delay_ms": gather_ms,
            "resend_ms": self.resend_ms,
            "request_timeout_ms": timeout_ms,
            "max_behind_ms": max(_USUAL.max_behind_ms, timeout_ms),
        }
        free = {k: v for k, v in wanted.items() if getattr(given, k) == getattr(_USUAL, k)}
        return replace(given, **free)

    def rhythm(self) -> Rhythm:
        """Return how often to say what nobody asked for."""
        usual, report_ms = Rhythm(), self.report_ms
        return Rhythm(
            hello_ms=max(usual.hello_ms, 2 * self.resend_ms),
            hello_again_ms=max(usual.hello_again_ms, _HELLOS * report_ms),
            answer_ms=max(usual.answer_ms, self.resend_ms),
            answer_known_ms=_ANSWERS * report_ms,
            clock_first_ms=max(usual.clock_first_ms, report_ms),
            clock_ms=max(usual.clock_ms, _CLOCKS * report_ms),
            tick_ms=max(usual.tick_ms, _QUIET * self.resend_ms),
            hand_in_ms=max(usual.hand_in_ms, _PATIENCE * self.resend_ms),
        )


_USUAL = Settings((0, 1, 2, 3), 0)


def _resend_s(n: int, link: Link) -> float:
    """Until all that a decision needs could be said, and not so often that idle drones fill the
    channel, or use their duty cycle up.
    """
    found = traffic(n, link)
    report_s = max(
        n * found.idle_s / _IDLE_SHARE,
        found.idle_s / (_IDLE_DUTY * link.duty_cycle),
    )
    return max(found.decision_s, report_s / _QUIET)


def _impossible(n: int, link: Link) -> str:
    """Return why a link is too narrow, "" if it is not."""
    found = traffic(n, link)
    if found.decision_s > SLOWEST_DECISION_S:
        return f"one decision would take {found.decision_s:,.0f} s"
    report_s = _QUIET * _resend_s(n, link)
    if report_s > LONGEST_SILENCE_S:
        return f"one would report where it is only every {report_s:,.0f} s"
    return ""


def least_bit_rate(n: int, link: Link) -> int:
    """Return the least bit rate at which n drones decide on such a link, 0 if there is none."""
    low, high = 100, _MOST_BITS
    if _impossible(n, replace(link, bit_rate=high)):
        return 0
    while low < high:
        middle = (low + high) // 2
        if _impossible(n, replace(link, bit_rate=middle)):
            low = middle + 1
        else:
            high = middle
    return low


def _remedy(n: int, link: Link) -> str:
    least = least_bit_rate(n, link)
    if not least:
        return "Take a band with a larger duty cycle."
    return f"Take at least {least:,} bit/s, fewer drones, or a band with a larger duty cycle."
