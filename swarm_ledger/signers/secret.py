# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""PINs, passphrases and files of keys: where only the right process can read them.

Never an argument of a command.
"""

from __future__ import annotations

import os
import re
import stat
from functools import cache
from pathlib import Path

from swarm_ledger.errors import Misuse

FORMS = "Use env:NAME, fd:NUMBER, file:PATH or credential:NAME."
CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Environment variable by which systemd tells a service where its credentials are."""
_NUMBER = re.compile(r"[0-9]{1,6}")
_CREDENTIAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_MAX_BYTES = 1024


def read_secret(source: str, folder: Path) -> str:
    """Return the secret that a source names, without the line's end; Misuse if there is none.

    source: env:NAME, an environment variable; fd:NUMBER, an open file descriptor, which is read
    to its end; file:PATH, relative to folder, which only its owner may read; credential:NAME,
    which systemd hands to a service (LoadCredential=).
    """
    kind, _, rest = source.partition(":")
    if kind == "env" and rest:
        found = os.environ.get(rest)
        if found is None:
            raise Misuse(f"the environment variable {rest} is not set.", remedy="Export it first.")
    elif kind == "fd" and _NUMBER.fullmatch(rest):
        found = _read_descriptor(int(rest))
    elif kind == "file" and rest:
        found = _read_file(folder / rest)
    elif kind == "credential" and _CREDENTIAL.fullmatch(rest):
        found = _read_credential(rest)
    else:
        raise Misuse(f"{source!r} names no place for a secret.", remedy=FORMS)
    secret = found.removesuffix("\n").removesuffix("\r")
    if not secret or "\0" in secret:
        raise Misuse(f"the secret in {source} is empty, or not text.")
    return secret


@cache
def _read_descriptor(number: int) -> str:
    try:
        # Kept, as it can be read but once, and a key may be made and then opened.
        with os.fdopen(os.dup(number), "rb") as file:
            return _text(file.read(_MAX_BYTES + 1), f"file descriptor {number}")
    except OSError as error:
        raise Misuse(
            f"cannot read file descriptor {number}: {error.strerror}.",
            remedy="Open it where the command is started, such as 3<FILE for fd:3.",
        ) from error


def _read_file(path: Path) -> str:
    return _text(read_private(path), str(path))


def _read_credential(name: str) -> str:
    """Read what systemd guards by the folder: the file's own mode shows an ACL's mask, 0440."""
    folder = os.environ.get(CREDENTIALS)
    if not folder:
        raise Misuse(
            f"there is no credential {name}: systemd did not start this process.",
            remedy=f"Start it as a service with LoadCredential={name}:PATH, or name a file:PATH.",
        )
    try:
        with (Path(folder) / name).open("rb") as file:
            return _text(file.read(_MAX_BYTES + 1), f"credential {name}")
    except OSError as error:
        raise Misuse(
            f"cannot read the credential {name}: {error.strerror}.",
            remedy=f"Give the service LoadCredential={name}:PATH (docs/deploy.md).",
        ) from error


def read_private(path: Path) -> bytes:
    """Read a small file that only its owner may read; Misuse where others may, or it can't be.

    What is longer than any secret is cut off.
    """
    try:
        with path.open("rb") as file:
            others = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077
            data = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise Misuse(f"cannot read the secret in {path}: {why}.") from error
    if others:
        raise Misuse(f"others may read the secret in {path}.", remedy=f"chmod 600 {path}")
    return data


def write_private(path: Path, data: bytes, *, over: bool) -> None:
    """Write a file that only its owner may read, whole or not at all, and through to the disk.

    over: whether it may take the place of another. Raises OSError: FileExistsError if it may not.
    """
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if over:
        fresh.replace(path)
    else:
        try:
            os.link(fresh, path)
        finally:
            fresh.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _text(data: bytes, where: str) -> str:
    if len(data) > _MAX_BYTES:
        raise Misuse(f"the secret in {where} has more than {_MAX_BYTES} bytes.")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Misuse(f"the secret in {where} is not text.") from error
