# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Whether a drone of a fleet can fly from this machine: the facts, for checks.py to judge."""

from __future__ import annotations

import ctypes
import math
import os
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.parsers import expat

from swarm_ledger.cli.doctor import checks
from swarm_ledger.cli.doctor.finding import BAD, OK, Finding
from swarm_ledger.errors import Misuse, NotVerified, SwarmLedgerError
from swarm_ledger.identity.signature import verify
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.blocks import split_block
from swarm_ledger.runtime.fleet import LEDGER, Fleet
from swarm_ledger.runtime.lookout import SEEN, check_seen
from swarm_ledger.signers.secret import CREDENTIALS

SETTINGS = Path("/etc/swarm-ledger/environment")
_SECRET = re.compile(r".*\.(key|pem|tpm2)(\.lost)?")
_SETTING = re.compile(r"(?:export )?([A-Z0-9_]+)=(\"?)([^\"']*)\2")
_PROPERTIES = "LoadState,ActiveState,UnitFileState,Result,NRestarts,WatchdogUSec,StatusText"
_TIMEOUT_S = 10
_MAX_PROFILE_BYTES = 1 << 20
_CHALLENGE = b"swarm-ledger doctor: does this key sign?"


def look_at_drone(path: Path, name: str) -> list[Finding]:
    """Look at all that a drone of that fleet file needs; Misuse if it has no such drone."""
    try:
        fleet = Fleet.load(path)
    except (Misuse, NotVerified) as error:
        return [_trouble("fleet file", error)]
    fleet.drone(name)
    around = settings_of(SETTINGS, os.environ)
    # What systemd hands to the drone's service, where we may read it; see docs/deploy.md.
    os.environ.setdefault(CREDENTIALS, str(SETTINGS.parent / "credentials" / name))
    home = fleet.folder / fleet.drone(name).folder
    ledger_bytes, ledger_ms, findings = _ledger(home)
    findings = [Finding("fleet file", OK, str(path)), *findings]
    looks: dict[str, Callable[[], list[Finding]]] = {
        "root key": lambda: _key(fleet, name),
        "roster": lambda: _roster(fleet, name, home),
        "room for the ledger": lambda: checks.check_disk(
            _free(home), ledger_bytes, fleet.max_bytes(name)
        ),
    }
    for what, look in looks.items():
        try:
            findings += look()
        except SwarmLedgerError as error:
            findings.append(_trouble(what, error))
    tracking = checks.parse_tracking(_said("chronyc", "-c", "tracking"))
    now_ms = time.time_ns() // 1_000_000
    findings += checks.check_clock(tracking, _kernel_error_s(), ledger_ms, now_ms)
    findings += checks.check_middleware(around, _profile(around))
    findings += checks.check_network(_interfaces(Path("/sys/class/net")), around)
    findings += checks.check_modes(_paths(home, fleet.folder / fleet.file.roster))
    unit = f"swarm-ledger-drone@{name}.service"
    shown = _said("systemctl", "show", unit, f"--property={_PROPERTIES}")
    return findings + checks.check_unit(unit, checks.parse_properties(shown))


_REMEDIES = {
    "fleet file": "ask the operators for it and its roster folder anew",
    "root key": "see docs/keys.md; a key that is lost is replaced by a roster: roster rotate",
    "roster": "ask the operators for the newest roster folder",
    "room for the ledger": "see docs/ledger.md",
    "ledger": "move it away: the drone gets the swarm's, and follows until the next roster",
}
"""What to do where the error itself doesn't say."""


def _trouble(what: str, error: SwarmLedgerError) -> Finding:
    return Finding(what, BAD, str(error), error.remedy or _REMEDIES[what])


def settings_of(path: Path, around: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of this machine's services: their settings' file over ours."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return dict(around)
    found = filter(None, (_SETTING.fullmatch(line.strip()) for line in lines))
    return {**around, **{match[1]: match[3] for match in found}}


def _key(fleet: Fleet, name: str) -> list[Finding]:
    signer = fleet.root(name)
    started = time.perf_counter()
    signs = verify(signer.public_key, _CHALLENGE, signer.sign(_CHALLENGE))
    took_ms = (time.perf_counter() - started) * 1000
    listed = fleet.trust.newest.with_key(signer.public_key)
    store, algorithm = signer.key_store.label, signer.algorithm.label
    if listed is None:
        return checks.check_key(checks.KeyFacts(store, algorithm, signs, took_ms))
    member, wanted = listed.name, listed.key_store.label
    return checks.check_key(checks.KeyFacts(store, algorithm, signs, took_ms, member, wanted))


def _roster(fleet: Fleet, name: str, home: Path) -> list[Finding]:
    check_seen(home / SEEN, fleet.trust)
    newest, entry = fleet.trust.proven[-1], fleet.drone(name)
    listed = newest.roster.listed(entry.id or entry.name) or fleet.member(name)
    roles = [role.value for role in listed.roles]
    facts = checks.RosterFacts(
        newest.roster.version,
        newest.expires.timestamp(),
        roles,
        (listed.not_before, listed.expires),
    )
    return checks.check_roster(facts, time.time())


def _ledger(home: Path) -> tuple[int, int, list[Finding]]:
    """Return a ledger's bytes, its newest block's time (ms, 0 for none), and what is wrong."""
    path = home / LEDGER
    if not path.exists():
        return 0, 0, [Finding("ledger", OK, "none yet: the drone begins it, or gets the swarm's")]
    files = (path.with_name(path.name + end) for end in ("", "-wal"))
    size = sum(file.stat().st_size for file in files if file.exists())
    try:
        with Store.open(path, read_only=True) as store:
            found = f"height {store.height}, {store.size} entries"
            time_ms = 0
            if store.height:
                time_ms = split_block(store.block(store.height).entries)[0].time_ms
    except SwarmLedgerError as error:
        return size, 0, [_trouble("ledger", error)]
    return size, time_ms, [Finding("ledger", OK, found)]


def _free(home: Path) -> int:
    """Return the bytes free where a folder is, or would be."""
    there = next(folder for folder in (home, *home.absolute().parents) if folder.exists())
    return shutil.disk_usage(there).free


def _paths(home: Path, roster: Path) -> list[checks.PathFacts]:
    folders = [(folder, False) for folder in (home,) if folder.is_dir()]
    inside = sorted(home.iterdir()) if home.is_dir() else []
    files = [(one, True) for one in inside if _SECRET.fullmatch(one.name)]
    found = [(path, stat.S_IMODE(path.stat().st_mode), secret) for path, secret in folders + files]
    if roster.is_dir():  # who writes there decides whom to trust; all may read it
        found.append((roster, stat.S_IMODE(roster.stat().st_mode) & ~0o055, False))
    return [checks.PathFacts(str(path), mode, secret) for path, mode, secret in found]


def _interfaces(folder: Path) -> list[checks.Interface]:
    found = []
    for one in sorted(folder.iterdir()) if folder.is_dir() else []:
        try:
            flags = int((one / "flags").read_text(), 16)
        except (OSError, ValueError):
            continue
        found.append(checks.Interface(one.name, flags, (one / "wireless").exists()))
    return found


def _profile(around: Mapping[str, str]) -> checks.ProfileFacts | None:
    """Return the configuration file of the middleware that is chosen, None for none."""
    name = {
        "rmw_cyclonedds_cpp": "CYCLONEDDS_URI",
        "rmw_zenoh_cpp": "ZENOH_SESSION_CONFIG_URI",
    }.get(around.get("RMW_IMPLEMENTATION", ""), "")
    fast = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
    where = next(filter(None, (around.get(one) for one in ((name,) if name else fast))), "")
    if not where:
        return None
    path = Path(unquote(urlsplit(where).path) if where.startswith("file:") else where)
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_PROFILE_BYTES)
        if name != "ZENOH_SESSION_CONFIG_URI":
            expat.ParserCreate().Parse(raw, True)
    except OSError as error:
        return checks.ProfileFacts(str(path), error.strerror or "can't be read")
    except expat.ExpatError as error:
        return checks.ProfileFacts(str(path), f"not XML: {error}")
    return checks.ProfileFacts(str(path), "")


class _Timex(ctypes.Structure):
    """The head of adjtimex's record; the rest is room."""

    _fields_ = (
        ("modes", ctypes.c_int),
        *((name, ctypes.c_long) for name in ("offset", "freq", "maxerror", "esterror")),
        ("room", ctypes.c_long * 32),
    )


def _kernel_error_s() -> float:
    """Return how far the clock may be off by the kernel's account, endless if it has none.

    It is the same in a container, where neither chronyc nor timedatectl is.
    """
    state = _Timex()
    try:
        answer = ctypes.CDLL(None).adjtimex(ctypes.byref(state))
    except (OSError, AttributeError):
        return math.inf
    return state.maxerror / 1e6 if answer >= 0 else math.inf


def _said(*command: str) -> str:
    """Return what a program of the system says; "" where it isn't here, or fails."""
    program = shutil.which(command[0])
    if program is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603  - fixed programs, and a name that was checked
            [program, *command[1:]],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
