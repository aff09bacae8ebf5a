"""Programs that send syslog, as people run them: rsyslog and syslog-ng on loopback, with their files in a folder.

Debian's packages are installed where they are missing and we are root; syslog-ng, which apt refuses beside rsyslog, is
unpacked into a folder of its own.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

from tests.aws import free_port as free_port

ROOT = Path(__file__).resolve().parents[2]
_MODULES = Path("/usr/lib/x86_64-linux-gnu/rsyslog")
_PACKAGES = {"omrelp.so": "rsyslog-relp", "lmnsd_ossl.so": "rsyslog-openssl"}
_SYSLOG_NG = ("syslog-ng-core", "libivykis0", "libnet1", "libwrap0", "libjson-c5", "libpcre3")


@dataclass(frozen=True)
class Paths:
    """Files in PEM for TLS on both sides; `stranger` is of another authority."""

    folder: Path

    def __getattr__(self, name: str) -> Path:
        return self.folder / f"{name}.pem"


@cache
def rsyslog(temporary: Path) -> None:
    """See to it that rsyslog can be run."""
    missing = [
        package for module, package in _PACKAGES.items() if not any(Path("/usr/lib").glob(f"*/rsyslog/{module}"))
    ]
    if missing or not shutil.which("rsyslogd"):
        _install(temporary, ["rsyslog", *missing])


def _install(temporary: Path, packages: list[str]) -> None:
    with FileLock(temporary / "apt.lock"):
        done = subprocess.run([ROOT / "bin/system-packages", *packages], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(done.stderr.strip().splitlines()[-1])


@cache
def syslog_ng(temporary: Path) -> Path:
    """The folder in which syslog-ng is unpacked."""
    folder = temporary / "syslog-ng"
    with FileLock(temporary / "syslog-ng.lock"):
        if not (folder / "usr").exists():
            debs = temporary / "debs"
            debs.mkdir(exist_ok=True)
            done = subprocess.run(["apt-get", "download", *_SYSLOG_NG], cwd=debs, capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"Missing on this machine: {' '.join(_SYSLOG_NG)}")
            for deb in debs.glob("*.deb"):
                subprocess.run(["dpkg", "-x", deb, folder], check=True)
    return folder


@contextmanager
def daemon(
    command: list[str | Path], environment: dict[str, str] | None = None, log: Path | None = None
) -> Iterator[None]:
    """A program that runs until the end of the block."""
    with (log or Path(os.devnull)).open("wb") as out:
        process = subprocess.Popen(command, env={**os.environ, **(environment or {})}, stdout=out, stderr=out)
    try:
        time.sleep(0.2)
        assert process.poll() is None, log and log.read_text()
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def rsyslogd(folder: Path, action: str, settings: str = "") -> Iterator[Path]:
    """rsyslog that follows a file and sends each line by `action`; gives the file."""
    folder.mkdir(parents=True, exist_ok=True)
    lines, config = folder / "lines.log", folder / "rsyslog.conf"
    lines.touch()
    config.write_text(
        f'global(workDirectory="{folder}" {settings})\nmodule(load="imfile" pollingInterval="1")\n'
        f'input(type="imfile" file="{lines}" tag="app:" severity="info" facility="local0")\n'
        f'template(name="bare" type="string" string="%msg%\\n")\n{action}\n'
    )
    command: list[str | Path] = ["rsyslogd", "-n", "-f", config, "-i", folder / "rsyslog.pid"]
    with daemon(command, log=folder / "rsyslog.out"):
        yield lines


@contextmanager
def syslog_ng_daemon(temporary: Path, folder: Path, destination: str) -> Iterator[Path]:
    """syslog-ng that follows a file and sends each line to `destination`; gives the file."""
    prefix = syslog_ng(temporary)
    folder.mkdir(parents=True, exist_ok=True)
    lines, config = folder / "lines.log", folder / "syslog-ng.conf"
    lines.touch()
    config.write_text(
        "@version: 3.38\noptions { keep-hostname(yes); flush-lines(1); };\n"
        f'source s {{ file("{lines}" follow-freq(0.2) flags(no-parse)); }};\n'
        f"destination d {{ {destination} }};\nlog {{ source(s); destination(d); }};\n"
    )
    libraries = {str(path.parent) for path in prefix.rglob("*.so*") if "modules" not in path.parts}
    modules = {str(path.parent) for path in prefix.rglob("libaffile.so")}
    command: list[str | Path] = [
        prefix / "usr/sbin/syslog-ng", "-F", "--no-caps", "-f", config, f"--module-path={':'.join(modules)}",
        "-R", folder / "persist", "-p", folder / "ng.pid", "-c", folder / "ng.ctl",
    ]  # fmt: skip
    with daemon(command, {"LD_LIBRARY_PATH": ":".join(sorted(libraries))}, folder / "syslog-ng.out"):
        yield lines


def certificates(folder: Path) -> Paths:
    """An authority, our certificate, a sender's, and a stranger's of another authority."""
    folder.mkdir(parents=True, exist_ok=True)

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    for authority in ("ca", "other"):
        openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", f"/CN={authority}", "-keyout", f"{authority}_key.pem", "-out", f"{authority}.pem",
        )  # fmt: skip
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name, subject, authority in (
        ("server", "/CN=localhost", "ca"),
        ("sender", "/O=Example, Inc./CN=web-1", "ca"),
        ("stranger", "/CN=web-1", "other"),
    ):
        openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
            "-keyout", f"{name}_key.pem", "-out", f"{name}.csr",
        )  # fmt: skip
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}_key.pem",
            "-CAcreateserial", "-days", "30", "-extfile", "names", "-out", f"{name}.pem",
        )  # fmt: skip
    return Paths(folder)
