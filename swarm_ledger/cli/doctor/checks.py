# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is right and wrong with a drone: facts go in, findings come out, nothing is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swarm_ledger.cli.doctor.finding import BAD, MISSING, OK, WARN, Finding

_MIB = 1 << 20
_SPARE_BYTES = 256 * _MIB
_ARCHIVE_BYTES = 1024 * _MIB
_DAY_S = 86_400
_SOON_DAYS = 7
_SKEW_S = 0.25
"""Half of what a leader's clock may be ahead (docs/clocks.md)."""
_UNSET_S = 16.0
"""The kernel counts an error up to here while nobody sets the clock (adjtimex, 2)."""
_BEHIND_S = 10.0
_LOOPBACK, _UP, _MULTICAST = 0x8, 0x1, 0x1000
_DISTROS = ("humble", "jazzy", "kilted")
_LISTED = "Have the operators enrol it: swarm-ledger roster request, then roster add or rotate."


@dataclass(frozen=True)
class KeyFacts:
    """A root key that was opened. listed: by its name in the roster, with what it says of it."""

    store: str
    algorithm: str
    signs: bool
    sign_ms: float
    member: str = ""
    listed_store: str = ""


def check_key(key: KeyFacts) -> list[Finding]:
    """Whether the drone can sign by its root key, and is known by it."""
    found = f"{key.algorithm}, in {key.store}, signs in {key.sign_ms:.0f} ms"
    if not key.signs:
        return [Finding("root key", BAD, f"{found}: its signature is wrong", "replace the key")]
    if not key.member:
        return [Finding("root key", BAD, f"{found}: not in the roster", _LISTED)]
    if key.store != key.listed_store:
        said = f"{found}: the roster says that it is in {key.listed_store}"
        return [Finding("root key", BAD, said, _LISTED)]
    if key.store == "software":
        remedy = "for a drone that may be lost, take a TPM or a token (docs/keys.md)"
        return [Finding("root key", OK, f"{found}, {key.member}: not protected", remedy)]
    return [Finding("root key", OK, f"{found}, {key.member}")]


@dataclass(frozen=True)
class RosterFacts:
    """The newest roster. expires_s: when it, or its root, ends; member_s: from when until when its
    word counts, 0 for ever; times in POSIX seconds.
    """

    version: int
    expires_s: float
    roles: Sequence[str]
    member_s: tuple[int, int]


def check_roster(roster: RosterFacts, now_s: float) -> list[Finding]:
    """Whether the drone may take part, and for how long."""
    begins, ends = roster.member_s
    until = min(roster.expires_s, ends or roster.expires_s)
    days = (until - now_s) / _DAY_S
    found = f"version {roster.version}, {' and '.join(sorted(roster.roles)) or 'revoked'}"
    renew = "have the operators renew it: swarm-ledger roster renew, then sign"
    if "validator" not in roster.roles:
        return [Finding("roster", BAD, f"{found}: not a validator", _LISTED)]
    if now_s < begins:
        return [Finding("roster", BAD, f"{found}: its word doesn't count yet", "see roster show")]
    if days <= 0:
        return [Finding("roster", BAD, f"{found}: expired {-days:.1f} days ago", renew)]
    state = OK if days >= _SOON_DAYS else WARN
    remedy = "" if state == OK else renew
    return [Finding("roster", state, f"{found}, for {days:.1f} days more", remedy)]


@dataclass(frozen=True)
class Tracking:
    """What chrony says. bound_s: the most by which the clock may be off."""

    source: str
    synchronised: bool
    offset_s: float
    bound_s: float


def parse_tracking(text: str) -> Tracking | None:
    """Read `chronyc -c tracking`; None for anything else."""
    fields = text.strip().split(",")
    try:
        offset, delay, dispersion = (float(fields[place]) for place in (4, 10, 11))
        leap, source = fields[13], fields[1] or fields[0]
    except (IndexError, ValueError):
        return None
    known = leap in ("Normal", "Insert second", "Delete second")
    return Tracking(source[:80], known, offset, abs(offset) + delay / 2 + dispersion)


def check_clock(
    tracking: Tracking | None, kernel_s: float, ledger_ms: int, now_ms: int
) -> list[Finding]:
    """Whether the clock is set by somebody, and hasn't gone back.

    kernel_s: how far it may be off, as the kernel was told by whoever sets it; 16 s: by nobody.
    ledger_ms: time of the newest block, 0 for none.
    """
    findings = []
    remedy = "apt install chrony, with deploy/chrony/client.conf (docs/deploy.md)"
    if tracking is not None and tracking.synchronised:
        good = tracking.bound_s < _SKEW_S
        found = f"by {tracking.source}, within {tracking.bound_s * 1000:.1f} ms"
        why = "" if good else "wait until it is closer, or take a nearer source: chronyc sources"
        findings.append(Finding("clock is set", OK if good else WARN, found, why))
    elif tracking is not None:
        why = "does chronyc sources reach the swarm's time server?"
        findings.append(Finding("clock is set", BAD, "chrony has no source", why))
    elif kernel_s < _UNSET_S:
        findings.append(Finding("clock is set", OK, f"within {kernel_s:.3g} s, says the kernel"))
    else:
        findings.append(Finding("clock is set", BAD, "by nobody", remedy))
    behind_s = (ledger_ms - now_ms) / 1000
    if behind_s > _BEHIND_S:
        found = f"{behind_s:,.0f} s before the ledger's newest block"
        findings.append(Finding("clock goes on", BAD, found, f"set it: {remedy}"))
    elif ledger_ms:
        findings.append(Finding("clock goes on", OK, "not before the ledger's newest block"))
    return findings


@dataclass(frozen=True)
class Interface:
    """A network interface. flags: as in /sys/class/net/NAME/flags."""

    name: str
    flags: int
    wireless: bool = False


def check_network(interfaces: Sequence[Interface], around: Mapping[str, str]) -> list[Finding]:
    """Whether DDS can find the others. around: the environment of the drone's service."""
    up = [one for one in interfaces if one.flags & _UP and not one.flags & _LOOPBACK]
    named = ", ".join(f"{one.name}{' (radio)' * one.wireless}" for one in up)
    if not up:
        return [Finding("network", BAD, "no interface is up", "bring one up: ip link")]
    findings = [Finding("network", OK, named)]
    rmw, server = around.get("RMW_IMPLEMENTATION", ""), around.get("ROS_DISCOVERY_SERVER", "")
    own = {"rmw_zenoh_cpp": "zenoh's router", "rmw_cyclonedds_cpp": "Cyclone DDS's peers"}
    configured = around.get("CYCLONEDDS_URI") or rmw == "rmw_zenoh_cpp"
    if rmw in own and configured:
        return [*findings, Finding("discovery", OK, f"by {own[rmw]}, without multicast")]
    if rmw not in own and server:
        return [*findings, Finding("discovery", OK, f"by the server {server}")]
    remedy = "set ROS_DISCOVERY_SERVER, or take zenoh (docs/deploy.md)"
    if not any(one.flags & _MULTICAST for one in up):
        found = "by multicast, which no interface has"
        return [*findings, Finding("discovery", BAD, found, remedy)]
    if any(one.wireless for one in up):
        found = "by multicast, which radio sends slowly and loses"
        return [*findings, Finding("discovery", WARN, found, remedy)]
    return [*findings, Finding("discovery", OK, "by multicast")]


@dataclass(frozen=True)
class ProfileFacts:
    """A middleware's configuration file. fault: why it can't be read as XML or at all, or ""."""

    path: str
    fault: str


def check_middleware(around: Mapping[str, str], profile: ProfileFacts | None) -> list[Finding]:
    """Whether ROS 2 is one that we know, and its middleware's profile is there."""
    distro = around.get("ROS_DISTRO", "")
    findings = []
    if distro not in _DISTROS:
        remedy = f"source or name one of {', '.join(_DISTROS)} in /etc/swarm-ledger/environment"
        findings.append(Finding("ROS distribution", WARN, distro or "unknown", remedy))
    else:
        findings.append(Finding("ROS distribution", OK, distro))
    if profile is None:
        remedy = "name deploy/dds/fastdds.xml, or another RMW's file (docs/deploy.md)"
        findings.append(Finding("DDS profile", WARN, "none: the defaults", remedy))
    elif profile.fault:
        remedy = "it is ignored as it is: repair it, or run deploy/provision again"
        findings.append(Finding("DDS profile", BAD, f"{profile.path}: {profile.fault}", remedy))
    else:
        findings.append(Finding("DDS profile", OK, profile.path))
    return findings


def check_disk(free: int, ledger: int, max_bytes: int) -> list[Finding]:
    """Whether the ledger finds room. Bytes: free, in its file by now, at most (0: an archive)."""
    needed = max(0, max_bytes - ledger) + _SPARE_BYTES if max_bytes else _ARCHIVE_BYTES
    kind = f"of at most {max_bytes // _MIB:,} MiB" if max_bytes else "an archive, without a limit"
    found = f"{free // _MIB:,} MiB free; the ledger has {ledger / _MIB:,.1f} MiB, {kind}"
    if free >= needed:
        return [Finding("room for the ledger", OK, found)]
    state = WARN if not max_bytes and free >= _SPARE_BYTES else BAD
    remedy = "make room, or give ledger.max_bytes less (docs/ledger.md)"
    return [Finding("room for the ledger", state, found, remedy)]


@dataclass(frozen=True)
class PathFacts:
    """A file or folder. secret: whether it holds a key; mode: its permission bits."""

    path: str
    mode: int
    secret: bool


def check_modes(paths: Sequence[PathFacts]) -> list[Finding]:
    """Whether only those can read and write who have to."""
    findings = []
    for one in paths:
        wanted = 0o600 if one.secret else 0o700
        remedy = f"chmod {wanted:o} {one.path}"
        if one.mode & 0o022 or (one.secret and one.mode & 0o077):
            what = "read" if not one.mode & 0o022 else "change"
            found = f"{one.path}: others may {what} it (mode {one.mode:04o})"
            findings.append(Finding("permissions", BAD, found, remedy))
        elif one.mode & 0o077:
            found = f"{one.path}: others may look into it (mode {one.mode:04o})"
            findings.append(Finding("permissions", WARN, found, remedy))
    return findings or [Finding("permissions", OK, f"{len(paths)} files and folders")]


def parse_properties(text: str) -> dict[str, str]:
    """Read `systemctl show`: a property on each line."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {name: value for name, equals, value in pairs if equals}


def check_unit(unit: str, found: Mapping[str, str]) -> list[Finding]:
    """Whether systemd runs and watches the drone. found: what it says of it; {} if it isn't here.

    NRestarts counts since it was started by hand, or with the machine.
    """
    if not found or found.get("LoadState") != "loaded":
        said = "systemd is not here" if not found else f"no {unit}"
        return [Finding("service", MISSING, said, "deploy/provision --drone NAME installs it")]
    state, text = found.get("ActiveState", ""), found.get("StatusText", "")
    said = f"{state}, {found.get('UnitFileState') or 'not enabled'}{f': {text}' * bool(text)}"
    look = f"journalctl -u {unit}"
    if state == "failed":
        why = f"{said} ({found.get('Result', 'unknown')})"
        return [Finding("service", BAD, why, look)]
    findings = []
    if state != "active":
        findings.append(Finding("service", WARN, said, f"systemctl start {unit}"))
    elif found.get("NRestarts", "0") != "0":
        again = f"{said}, restarted {found['NRestarts']} times"
        findings.append(Finding("service", WARN, again, look))
    else:
        findings.append(Finding("service", OK, said))
    watched = found.get("WatchdogUSec", "0") not in ("", "0", "infinity")
    remedy = "" if watched else "its unit has no WatchdogSec: run deploy/provision again"
    said = found.get("WatchdogUSec", "") if watched else "off"
    return [*findings, Finding("watchdog", OK if watched else WARN, said, remedy)]
