"""Restrict a process: what it may read and write, how long it may run and how much memory it may use.

On Linux the kernel's Landlock (since 5.13) refuses it every other file, connections by TCP (since 6.7) and signals to
other processes (since 6.12); elsewhere nothing but the time is limited.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
import time
from pathlib import Path

_CREATE, _ADD, _RESTRICT, _NO_NEW_PRIVILEGES = 444, 445, 446, 38
_READ, _READ_WRITE_FILE = 1 | 4 | 8, 2 | 4  # execute, read files and folders; write and read a file
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # how many there are, by version; from 5 on 16
LARGEST_FILE_BYTES = 200_000_000


def shut_in(readable: list[str], writable: str) -> bool:
    """Allow this process to read only these folders and write only to one; returns whether the system supports it."""
    if not sys.platform.startswith("linux"):
        return False
    system = ctypes.CDLL(None, use_errno=True)
    version = system.syscall(_CREATE, None, 0, 1)
    if version < 1:
        return False
    all_rights = (1 << _RIGHTS.get(version, 16)) - 1
    handled = struct.pack("QQQ", all_rights, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    handled = handled[: 24 if version >= 6 else 16 if version >= 4 else 8]
    rules = system.syscall(_CREATE, handled, len(handled), 0)
    allowed = [(folder, _READ) for folder in readable if Path(folder).is_dir()]
    allowed += [("/dev/null", _READ_WRITE_FILE), ("/dev/urandom", 4), (writable, all_rights)]
    for path, rights in allowed:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        done = system.syscall(_ADD, rules, 1, struct.pack("=Qi", rights, place), 0)
        os.close(place)
        if done != 0:
            return False
    return system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0 and system.syscall(_RESTRICT, rules, 0) == 0


def limit(seconds: float, memory_mb: int) -> None:
    """Limit processor time, memory beyond what is taken now, and the size of files, where the system can."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limits = {resource.RLIMIT_CPU: int(seconds + time.process_time()) + 1, resource.RLIMIT_CORE: 0}
        limits |= {resource.RLIMIT_FSIZE: LARGEST_FILE_BYTES}
        limits |= {resource.RLIMIT_AS: taken + memory_mb * 1_000_000}
        for what, most in limits.items():
            resource.setrlimit(what, (most, most))
