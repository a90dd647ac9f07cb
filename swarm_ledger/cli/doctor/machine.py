# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is on this machine, whoever it is."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import zmq

from swarm_ledger.cli.doctor.finding import Finding
from swarm_ledger.errors import Misuse
from swarm_ledger.signers.pkcs11_token import FoundToken, find_modules, find_tokens
from swarm_ledger.signers.tpm2 import identify
from swarm_ledger.sim.ros_environment import ros_environment, ros_unavailable_reason


def look_at_machine() -> list[Finding]:
    """Look at everything."""
    return [finding for look in _LOOKS for finding in look()]


def _python() -> list[Finding]:
    version = platform.python_version()
    state = "ok" if sys.version_info >= (3, 10) else "bad"
    return [Finding("Python", state, f"{version} on {platform.machine()}")]


def _ros() -> list[Finding]:
    environment = ros_environment()
    if environment is None:
        return [Finding("ROS 2", "missing", ros_unavailable_reason(), "missions fly over ZeroMQ")]
    distro = environment.get("ROS_DISTRO", "unknown")
    rmw = environment.get("RMW_IMPLEMENTATION", "the default")
    probe = subprocess.run(
        [sys.executable, "-c", "import rclpy; print(rclpy.get_rmw_implementation_identifier())"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if probe.returncode == 0:
        rmw = probe.stdout.strip()
    domain = environment.get("ROS_DOMAIN_ID", "0")
    return [
        Finding("ROS 2", "ok", distro),
        Finding("RMW", "ok", rmw),
        Finding("ROS domain", "ok", domain),
    ]


def _zeromq() -> list[Finding]:
    if zmq.has("curve"):
        return [
            Finding("ZeroMQ", "ok", f"{zmq.zmq_version()}, links: curve where keys are listed")
        ]
    remedy = "encrypted links need it: install pyzmq's own wheel, or a libzmq with libsodium"
    return [Finding("ZeroMQ", "bad", f"{zmq.zmq_version()} without CURVE, links: plain", remedy)]


def _clocks() -> list[Finding]:
    findings = []
    for name, clock in (
        ("wall clock", time.CLOCK_REALTIME),
        ("steady clock", time.CLOCK_MONOTONIC),
    ):
        resolution_ms = time.clock_getres(clock) * 1000
        state = "ok" if resolution_ms <= 1 else "bad"
        findings.append(Finding(name, state, f"resolution {resolution_ms:g} ms"))
    if time.time() < 1_700_000_000:
        findings[0] = Finding(
            "wall clock", "bad", "years behind", "set it: signatures state the time"
        )
    program = shutil.which("timedatectl")
    synchronised = "unknown"
    if program:
        answer = subprocess.run(  # noqa: S603  - a fixed program
            [program, "show", "--property=NTPSynchronized", "--value"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
        synchronised = answer.stdout.strip() or "unknown"
    state = "ok" if synchronised == "yes" else "missing"
    remedy = "" if state == "ok" else "on drones: apt install chrony, with one drone as server"
    findings.append(Finding("clock synchronisation", state, synchronised, remedy))
    return findings


def _keys() -> list[Finding]:
    software = Finding("software keys", "ok", "always here; not protected by hardware")
    return [software, *_tokens(), _tpm()]


def _tokens() -> list[Finding]:
    """Look through each PKCS#11 module: first what there is, then each token."""
    modules = find_modules()
    if not modules:
        remedy = "apt install softhsm2, or your token's module (opensc, ykcs11)"
        return [Finding("PKCS#11", "missing", "no module", remedy)]
    tokens: list[FoundToken] = []
    trouble: list[Misuse] = []
    for module in modules:
        try:
            tokens += find_tokens(module)
        except Misuse as error:
            trouble.append(error)
    found, remedy = f"{len(tokens)} tokens behind {', '.join(modules)}", ""
    if trouble and not tokens:
        found, remedy = trouble[0].what, trouble[0].remedy
    elif not tokens:
        remedy = "put one in; or, in software: softhsm2-util --init-token --free --label drone_1"
    state = "ok" if tokens else "missing"
    return [Finding("PKCS#11", state, found, remedy), *map(_token, tokens)]


def _token(token: FoundToken) -> Finding:
    found = f"{token.label!r}, serial {token.serial}, {token.model} ({token.module})"
    what = "PKCS#11 token"
    if token.blocked:
        return Finding(what, "bad", f"{found}: PIN blocked", "unblock it with its PUK or SO PIN")
    if token.low:
        return Finding(what, "ok", f"{found}: a wrong PIN was tried", "log in with the right one")
    return Finding(what, "ok", found)


def _tpm() -> Finding:
    device = next((d for d in ("/dev/tpmrm0", "/dev/tpm0") if Path(d).exists()), "")
    tcti = os.environ.get("TPM2TOOLS_TCTI", f"device:{device}" if device else "")
    remedy = "on a machine with a TPM: join the group tss; or take swtpm, and set TPM2TOOLS_TCTI"
    if not tcti:
        return Finding("TPM 2.0", "missing", "no device", remedy)
    try:
        return Finding("TPM 2.0", "ok", f"{tcti}, by {identify(tcti)}")
    except Misuse as error:
        return Finding("TPM 2.0", "missing", error.what, error.remedy)


def _gazebo() -> list[Finding]:
    program = shutil.which("gz")
    if program:
        return [Finding("Gazebo", "ok", program)]
    return [Finding("Gazebo", "missing", "no gz command", "apt install ros-$ROS_DISTRO-ros-gz")]


def _disk() -> list[Finding]:
    with tempfile.NamedTemporaryFile(dir=Path.cwd() if os.access(".", os.W_OK) else None) as file:
        started = time.perf_counter()
        for _ in range(10):
            file.write(b"x" * 512)
            file.flush()
            os.fdatasync(file.fileno())
        each_ms = (time.perf_counter() - started) * 100
    state = "ok" if each_ms < 20 else "bad"
    remedy = "" if state == "ok" else "every vote waits for the disk: use a faster card or an SSD"
    return [Finding("durable write", state, f"{each_ms:.2f} ms", remedy)]


_LOOKS: tuple[Callable[[], list[Finding]], ...] = (
    _python,
    _ros,
    _zeromq,
    _clocks,
    _keys,
    _gazebo,
    _disk,
)
