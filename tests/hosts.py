"""Hosts for tests: network namespaces, connected with this machine by a bridge."""

import contextlib
import dataclasses
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest

# The process id keeps test runs at the same time apart.
_ID = os.getpid()
_SUBNET = f"10.77.{_ID % 256}"
_BRIDGE = f"bridge-{_ID}"
ADDRESS = f"{_SUBNET}.1"  # The address of this machine on the bridge.


@dataclasses.dataclass(frozen=True)
class Host:
    """A host with its own name and address; it shares this machine's file systems."""

    name: str
    address: str

    @property
    def namespace(self) -> str:
        """Returns the name of the network namespace, and of this machine's end of its link."""
        return f"{self.name}-{_ID}"

    def command(self, *arguments: str, hidden: pathlib.Path | None = None) -> list[str]:
        """Returns a command line that runs Python on the host.

        Args:
            arguments: The arguments of Python.
            hidden: A directory that is empty on the host instead of shared.
        """
        hide = f"mount -t tmpfs tmpfs '{hidden}' && " if hidden else ""
        shell = f'{hide}hostname {self.name} && exec "$@"'
        inside = ["ip", "netns", "exec", self.namespace, "unshare", "--uts", "--mount", "sh", "-c"]
        return [*inside, shell, "sh", sys.executable, *arguments]

    def link(self, state: str) -> None:
        """Sets the link to the host 'up' or 'down'."""
        _ip(f"link set {self.namespace} {state}")


@contextlib.contextmanager
def hosts(names: Sequence[str]) -> Iterator[list[Host]]:
    """Starts hosts that reach each other and this machine; skips the test where that fails."""
    made = [Host(name, f"{_SUBNET}.{number}") for number, name in enumerate(names, start=2)]
    with contextlib.ExitStack() as stack:
        _ip(f"link add {_BRIDGE} type bridge")
        stack.callback(_ip, f"link delete {_BRIDGE}")
        _ip(f"address add {ADDRESS}/24 dev {_BRIDGE}")
        _ip(f"link set {_BRIDGE} up")
        for host in made:
            inside = host.namespace
            _ip(f"netns add {inside}")
            stack.callback(_ip, f"netns delete {inside}")
            _ip(f"link add {inside} type veth peer name eth0 netns {inside}")
            _ip(f"link set {inside} master {_BRIDGE} up")
            _ip(f"-n {inside} address add {host.address}/24 dev eth0")
            _ip(f"-n {inside} link set eth0 up")
            _ip(f"-n {inside} link set lo up")
        yield made


def _ip(arguments: str) -> None:
    command = ["ip", *arguments.split()]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs iproute2 and the right to make network namespaces: {error}")
