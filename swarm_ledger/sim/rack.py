# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Key stores for a mission, in its run folder: a SoftHSM token or a TPM (swtpm) for each drone.

They are the real interfaces with no hardware behind them: what is signed there goes through the
same PKCS#11 and TPM 2.0 calls as with a card or a chip.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from swarm_ledger.errors import Misuse
from swarm_ledger.signers import Algorithm, Signer, new_key, pkcs11_token, tpm2, tpm2_api
from swarm_ledger.signers.software import write_new
from swarm_ledger.sim.mission import Mission, Rack, SoftwareRack
from swarm_ledger.sim.ports import free_ports

PIN, TPM_KEY, LABEL = "pin", "key.tpm2", "root"
_CONFIGURATION = "SOFTHSM2_CONF"
_START_SECONDS = 10.0
_ATTEMPTS = 5


def softhsm() -> str:
    """Return SoftHSM's module; Misuse where that, its tool or python-pkcs11 isn't installed."""
    pkcs11_token.api()
    found = [module for module in pkcs11_token.find_modules() if "softhsm" in Path(module).name]
    if not found or not shutil.which("softhsm2-util"):
        raise Misuse("SoftHSM is not installed.", remedy="apt install softhsm2")
    return found[0]


def swtpm() -> str:
    """Return swtpm's path; Misuse where it or tpm2-pytss isn't installed."""
    tpm2_api.api()
    found = shutil.which("swtpm")
    if not found:
        raise Misuse("swtpm is not installed.", remedy="apt install swtpm")
    return found


class SoftHsm:
    """SoftHSM with its tokens in a folder. Use it as a context manager: it then counts here.

    Misuse where it isn't installed.
    """

    def __init__(self, folder: Path) -> None:
        self.module = softhsm()
        tokens = folder.absolute() / "tokens"
        tokens.mkdir(parents=True, mode=0o700)
        configuration = folder.absolute() / "softhsm2.conf"
        configuration.write_text(
            f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        self.environment: Mapping[str, str] = {_CONFIGURATION: str(configuration)}
        self._before = os.environ.get(_CONFIGURATION)

    def token(self, label: str, pin: str) -> None:
        """Initialise a token; Misuse if SoftHSM refuses."""
        names = ("--label", label, "--pin", pin, "--so-pin", secrets.token_hex(8))
        done = subprocess.run(  # noqa: S603  - a fixed program
            ["softhsm2-util", "--init-token", "--free", *names],  # noqa: S607
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise Misuse(f"softhsm2-util made no token: {(done.stderr or done.stdout).strip()}.")
        pkcs11_token.restart_module(self.module)

    def __enter__(self) -> SoftHsm:
        os.environ.update(self.environment)
        pkcs11_token.restart_module(self.module)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._before is None:
            os.environ.pop(_CONFIGURATION, None)
        else:
            os.environ[_CONFIGURATION] = self._before


class Swtpm:
    """A TPM 2.0 in software, a child process on two ports of 127.0.0.1; its state is in a folder.

    Use it as a context manager: it ends with it, and with this process. Misuse where it isn't
    installed, or doesn't start.
    """

    def __init__(self, folder: Path) -> None:
        program = swtpm()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        for _ in range(_ATTEMPTS):
            port, _ = free_ports(2)  # TCTIs find the control channel at the next one
            self.tcti = f"swtpm:host=127.0.0.1,port={port}"
            self.process = self._start(program, port)
            if self._answers():
                return
        said = (folder / "swtpm.log").read_text(errors="replace").strip()
        raise Misuse(f"swtpm does not start: {said or 'it does not answer'}.")

    def _start(self, program: str, port: int) -> subprocess.Popen[bytes]:
        # Whatever ends us, Ctrl-C or kill -9, ends it too; but Ctrl-C not before the drones.
        bound = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with (self._folder / "swtpm.log").open("wb") as log:
            return subprocess.Popen(  # noqa: S603  - a fixed program
                [
                    *(*bound, program, "socket", "--tpm2"),
                    *("--tpmstate", f"dir={self._folder}"),
                    *("--server", f"type=tcp,bindaddr=127.0.0.1,port={port}"),
                    *("--ctrl", f"type=tcp,bindaddr=127.0.0.1,port={port + 1}"),
                    *("--flags", "not-need-init,startup-clear"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        deadline = time.monotonic() + _START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            with suppress(Misuse):
                tpm2.identify(self.tcti)
                return True
            time.sleep(0.01)
        self.stop()
        return False

    def stop(self) -> None:
        """End it, as if the chip were pulled out."""
        self.process.terminate()
        self.process.wait()

    def __enter__(self) -> Swtpm:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


class Pkcs11Rack:
    """A token for each drone, and its PIN in a file of the drone's folder."""

    def __init__(self, run_dir: Path, stack: ExitStack) -> None:
        self._run_dir, self._stack = run_dir, stack
        self._hsm: SoftHsm | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """Where SoftHSM finds its tokens."""
        return self._hsm.environment if self._hsm else {}

    def root(self, name: str) -> tuple[str, Signer]:
        """Make a token with an Ed25519 key in it."""
        if self._hsm is None:  # not before the run folder is known to be a new one
            self._hsm = self._stack.enter_context(SoftHsm(self._run_dir / "softhsm"))
        pin = secrets.token_hex(8)
        write_new(self._run_dir / name / PIN, pin.encode())
        self._hsm.token(name, pin)
        where = f"module-path={quote(self._hsm.module, safe='/')}&pin-source=file:{name}/{PIN}"
        uri = f"pkcs11:token={name};object={LABEL}?{where}"
        return uri, new_key(uri, Algorithm.EDDSA, self._run_dir)


class Tpm2Rack:
    """A TPM for each drone."""

    def __init__(self, run_dir: Path, stack: ExitStack) -> None:
        self._run_dir, self._stack = run_dir, stack
        self.environment: Mapping[str, str] = {}

    def root(self, name: str) -> tuple[str, Signer]:
        """Start a TPM and make a key in it."""
        tpm = self._stack.enter_context(Swtpm(self._run_dir / name / "tpm"))
        uri = f"tpm2:{name}/{TPM_KEY}?tcti={tpm.tcti}"
        return uri, new_key(uri, Algorithm.ES256, self._run_dir)


@contextmanager
def open_rack(mission: Mission) -> Iterator[Rack]:
    """Have a mission's key stores at hand until it ends; Misuse where they can't be had."""
    with ExitStack() as stack:
        if mission.keys == "pkcs11":
            softhsm()  # before anything is laid out
            yield Pkcs11Rack(mission.run_dir, stack)
        elif mission.keys == "tpm2":
            swtpm()
            yield Tpm2Rack(mission.run_dir, stack)
        else:
            yield SoftwareRack(mission)
