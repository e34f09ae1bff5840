"""Hosts for tests: network namespaces of this machine, joined by a bridge."""

import contextlib
import dataclasses
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Sequence

BRIDGE = "tfxbridge"
ADDRESS = "10.77.0.1"  # Of this machine on the bridge.


@dataclasses.dataclass(frozen=True)
class Host:
    """A host with a name, an address and, if wanted, directories of its own."""

    name: str
    address: str

    def start(
        self, module: str, *arguments: str, log: pathlib.Path, hidden: pathlib.Path | None = None
    ) -> subprocess.Popen:
        """Starts a module of Python on the host, in a process group of its own.

        Args:
            module: Dotted name.
            arguments: Of the command line.
            log: Gets what is printed.
            hidden: A directory that the host does not share with this machine.
        """
        hide = f"mount -t tmpfs tmpfs '{hidden}' && " if hidden else ""
        shell = f'{hide}hostname {self.name} && exec "$@"'
        inside = ["ip", "netns", "exec", self.name, "unshare", "--uts", "--mount", "sh", "-c"]
        return subprocess.Popen(
            [*inside, shell, "sh", sys.executable, "-m", module, *arguments],
            stdout=log.open("ab"),
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )


def why_not() -> str | None:
    """Returns why this machine can have no hosts, or None if it can."""
    if os.geteuid() != 0:
        return "needs root, to make network namespaces"
    made = subprocess.run(["ip", "netns", "add", "tfxtry"], capture_output=True, text=True)
    if made.returncode != 0:
        return f"no network namespaces can be made here: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "delete", "tfxtry"], check=True)
    return None


@contextlib.contextmanager
def hosts(names: Sequence[str]) -> Iterator[list[Host]]:
    """Makes hosts that reach each other and this machine."""
    made = [Host(name, f"10.77.0.{number}") for number, name in enumerate(names, start=2)]
    try:
        _ip(f"link add {BRIDGE} type bridge")
        _ip(f"address add {ADDRESS}/24 dev {BRIDGE}")
        _ip(f"link set {BRIDGE} up")
        for host in made:
            _ip(f"netns add {host.name}")
            _ip(f"link add {host.name} type veth peer name eth0 netns {host.name}")
            _ip(f"link set {host.name} master {BRIDGE} up")
            _ip(f"-n {host.name} address add {host.address}/24 dev eth0")
            _ip(f"-n {host.name} link set eth0 up")
            _ip(f"-n {host.name} link set lo up")
        yield made
    finally:
        for host in made:
            subprocess.run(["ip", "netns", "delete", host.name], capture_output=True)
        subprocess.run(["ip", "link", "delete", BRIDGE], capture_output=True)


def _ip(arguments: str) -> None:
    subprocess.run(["ip", *arguments.split()], check=True, capture_output=True, text=True)
