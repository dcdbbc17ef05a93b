"""A PostgreSQL server for the tests: in a temporary folder, on a free port, stopped after the tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

READER, PASSWORD = "reader", "Correct-Horse-7"
_HBA = f"host all {READER} 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"


@dataclass(frozen=True)
class Server:
    """A running server with an empty database `shop`; its owner `shop` needs no password, `reader` needs one."""

    port: int

    def address(self, user: str = "shop", database: str = "shop") -> str:
        return f"postgres://{user}@127.0.0.1:{self.port}/{database}"

    def run(self, *statements: str) -> None:
        import psycopg

        with psycopg.connect(self.address(), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def fill(self, table: str, columns: str, rows: list[tuple]) -> None:
        import psycopg

        self.run(f'DROP TABLE IF EXISTS "{table}"', f'CREATE TABLE "{table}" ({columns})')
        order = f'COPY "{table}" FROM STDIN'
        with psycopg.connect(self.address()) as connection, connection.cursor().copy(order) as copy:
            for row in rows:
                copy.write_row(row)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    found = [shutil.which("initdb"), *sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    programs = next((Path(path).resolve().parent for path in found[::-1] if path), None)
    try:
        import psycopg  # noqa: F401
    except ImportError:
        programs = None
    if programs is None:
        why = "no PostgreSQL here: apt-get install postgresql, and psycopg for Python"
        (pytest.fail if os.environ.get("CRMLIB_REQUIRE_POSTGRES") else pytest.skip)(why)
    # It does not run as root: there as the user that Debian's package has made.
    other = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="crmlib-postgres-", dir="/tmp"))
    if other:
        shutil.chown(folder, **other)
    how = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **other}
    data, port = folder / "data", _free_port()
    command = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        "shop",
        "-A",
        "trust",
        "--no-sync",
        "--locale=C",
        "-E",
        "UTF8",
    ]
    settings = [
        f"port={port}",
        "listen_addresses=127.0.0.1",
        f"unix_socket_directories={folder}",
        "fsync=off",
    ]
    server = None
    try:
        subprocess.run(command, check=True, timeout=60, **how)
        (data / "pg_hba.conf").write_text(_HBA)
        arguments = [part for setting in settings for part in ("-c", setting)]
        server = subprocess.Popen([programs / "postgres", "-D", data, *arguments], **how)
        _wait_for(port)
        yield _with_users(Server(port))
    finally:
        if server:
            server.send_signal(signal.SIGQUIT)  # at once: nothing of it is needed any more
            server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _with_users(server: Server) -> Server:
    import psycopg

    with psycopg.connect(server.address(database="postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE shop")
        connection.execute(f"CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD}'")
    return server


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _wait_for(port: int, seconds: float = 30) -> None:
    import psycopg

    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(Server(port).address(database="postgres"), connect_timeout=2).close()
            return
        time.sleep(0.05)
    raise TimeoutError("the PostgreSQL server of the tests did not start")
