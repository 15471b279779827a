"""php-fpm and Apache's prefork MPM: the same trade, in other languages."""

import os
import re
import shutil
import signal
import socket
import subprocess
from glob import glob
from pathlib import Path

from versus.contestant import PROGRAMS, Contestant

MODULES = Path("/usr/lib/apache2/modules")


class PhpFpm(Contestant):
    """A static pool; a reload takes on new settings, since code is always read."""

    name = "php-fpm"
    patience = ""  # process_control_timeout; "": the default, which is none

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        shutil.copy(PROGRAMS / "app.php", directory)
        self.script = str(directory / "app.php")
        self._pool = ""

    @classmethod
    def version(cls) -> str:
        return _ask_version(_find_php(), r"PHP ([\d.]+)")

    def command(
        self, *, workers: int, timeout: int, import_in_worker: bool
    ) -> list[str]:
        patience = self.patience and f"process_control_timeout = {self.patience}"
        self._pool = (
            f"[global]\nerror_log = {self.directory}/log\ndaemonize = no\n{patience}\n"
            f"[www]\nlisten = {self.address}\nlisten.mode = 0666\n"
            f"pm = static\npm.max_children = {workers}\n"
        )
        if os.geteuid() == 0:
            self._pool += "user = root\n"
        if timeout:
            self._pool += (
                f"request_terminate_timeout = {timeout}\n"
                "request_slowlog_timeout = 1\n"
                f"slowlog = {self.directory}/log\n"
            )
        self.publish("1")
        command = [_find_php(), "-n", "-y", str(self.directory / "fpm.conf")]
        return [*command, *(["-R"] if os.geteuid() == 0 else [])]

    def publish(self, version: str) -> None:
        text = f"{self._pool}env[VERSION] = {version}\n"
        (self.directory / "fpm.conf").write_text(text)

    def break_configuration(self) -> None:
        (self.directory / "fpm.conf").write_text(f"{self._pool}pm = nonsense\n")

    def reload(self) -> None:
        self.signal(signal.SIGUSR2)

    def stop(self) -> None:
        self.signal(signal.SIGQUIT)

    def upgrade(self) -> None:
        """Its reload is one: it executes itself."""
        self.publish("2")
        self.reload()
        if self.wait_version("2", 15) is None:
            raise RuntimeError("not upgraded")


class PatientPhpFpm(PhpFpm):
    """The same, but it waits for requests that are being served."""

    name = "php-fpm, patient"
    patience = "10s"


class Apache(Contestant):
    """httpd with its prefork MPM, and a CGI program."""

    name = "apache2"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        shutil.copy(PROGRAMS / "app.cgi", directory)
        self.address = ("127.0.0.1", _find_free_port())  # it takes no unix socket
        self._settings = ""

    @classmethod
    def version(cls) -> str:
        has_modules = (MODULES / "mod_mpm_prefork.so").exists()
        return _ask_version(_find_apache(), r"Apache/([\d.]+)") if has_modules else ""

    def command(
        self, *, workers: int, timeout: int, import_in_worker: bool
    ) -> list[str]:
        modules = ("mpm_prefork", "alias", "env", "cgi", "authz_core")
        lines = [f"LoadModule {m}_module {MODULES}/mod_{m}.so" for m in modules]
        lines += [
            f"ServerRoot {self.directory}",
            f"PidFile {self.directory}/pid",
            f"ErrorLog {self.directory}/log",
            f"Listen {self.address[0]}:{self.address[1]}",
            "ServerName localhost",
            "User #65534\nGroup #65534",
            *(
                f"{name} {workers}"
                for name in (
                    "ServerLimit",
                    "StartServers",
                    "MinSpareServers",
                    "MaxSpareServers",
                    "MaxRequestWorkers",
                )
            ),
            f"Timeout {timeout}" if timeout else "",
            f"ScriptAlias / {self.directory}/app.cgi/",
        ]
        self._settings = "\n".join([*lines, ""])
        self.publish("1")
        command = [_find_apache(), "-d", str(self.directory)]
        return [*command, "-f", "httpd.conf", "-DFOREGROUND"]

    def publish(self, version: str) -> None:
        text = f"{self._settings}SetEnv VERSION {version}\n"
        (self.directory / "httpd.conf").write_text(text)

    def break_configuration(self) -> None:
        (self.directory / "httpd.conf").write_text(f"{self._settings}Nonsense\n")

    def reload(self) -> None:
        self.signal(signal.SIGUSR1)

    def stop(self) -> None:
        self.signal(signal.SIGWINCH)


def _find_php() -> str:
    return next(iter(sorted(glob("/usr/sbin/php-fpm*"), reverse=True)), "")


def _find_apache() -> str:
    return shutil.which("apache2", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or ""


def _ask_version(binary: str, pattern: str) -> str:
    if not binary:
        return ""
    done = subprocess.run([binary, "-v"], capture_output=True, text=True)
    match = re.search(pattern, done.stdout)
    return match[1] if match else ""


def _find_free_port() -> int:
    """One that was free a moment ago: Apache does not tell which it was given."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
