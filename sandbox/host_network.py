"""The bridge of a private Docker engine, its address translation and forwarding; put back as it was on the way out."""

from __future__ import annotations

import ipaddress
import json
import shlex
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from sandbox.errors import SandboxError
from sandbox.files import write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# For benchmarks, never routed (RFC 2544): it meets neither a company's private networks nor Docker's own choices.
_POOL = ipaddress.IPv4Network("198.19.0.0/16")
_PREFIX = "app1-"  # every sandbox's bridge begins so; with 8 digits of hex it fits in an interface's 15 characters
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
# Writing ip_forward changes these, too (Linux, Documentation/networking/ip-sysctl.rst).
_FOLLOWERS = ("all/accept_redirects", "*/forwarding")


@dataclass(frozen=True)
class Network:
    """A bridge of our own. subnet: its network as CIDR; mtu: in bytes, that of the default route's interface."""

    bridge: str
    subnet: str
    mtu: int


@dataclass(frozen=True)
class Host:
    """What all sandboxes of a machine share and the last one puts back.

    folder: where that is recorded (root's, on this machine only).
    environment: in which `ip` and `nft` are found.
    """

    folder: Path
    environment: Mapping[str, str]

    def set_up(self, identity: str, mount_points: Sequence[Path]) -> Network:
        """Make the bridge, its address translation, and the empty folders that are to be mounted over."""
        bridge = _PREFIX + identity
        with self._lock():
            record = self._record()
            record["holders"].append(bridge)
            record["folders"] += [str(path) for path in _missing(mount_points)]
            closed = _FORWARD.read_text(encoding="ascii").strip() == "0"
            if closed:
                paths = [
                    _FORWARD,
                    *(path for each in _FOLLOWERS for path in Path("/proc/sys/net/ipv4/conf").glob(each)),
                ]
                record["sysctls"] = {str(path): path.read_text(encoding="ascii").strip() for path in paths}
            self._write(record)  # before anything changes: whoever cleans up after a crash has to know

            for path in mount_points:
                path.mkdir(parents=True, exist_ok=True)
            network = Network(bridge, str(self._free_subnet()), self._mtu())
            gateway = next(ipaddress.IPv4Network(network.subnet).hosts())
            self._run("ip", "link", "add", bridge, "mtu", str(network.mtu), "type", "bridge")
            self._run("ip", "address", "add", f"{gateway}/24", "dev", bridge)
            self._run("ip", "link", "set", bridge, "up")
            self._run("nft", "--file", "-", text=_rules(network, closed=bool(record["sysctls"])))
            self._pass_foreign_firewall(bridge)
            if closed:
                _FORWARD.write_text("1", encoding="ascii")
            return network

    def take_down(self, identity: str) -> None:
        """Undo `set_up`, also one that was cut off in the middle; nothing there is nothing to do."""
        bridge = _PREFIX + identity
        with self._lock():
            record = self._record()
            links = {name for _, name in socket.if_nameindex()}
            if bridge in links:
                self._run("ip", "link", "delete", bridge)
            if bridge in record["holders"]:
                # Declared once more, so that deleting it is no error where it is gone already.
                self._run("nft", "--file", "-", text=f"table ip {bridge} {{}}\ndelete table ip {bridge}\n")
                self._close_foreign_firewall(bridge)
            record["holders"] = [each for each in record["holders"] if each != bridge and each in links]
            if not record["holders"]:
                for path, value in record.pop("sysctls").items():
                    if Path(path).exists():  # an interface may have gone meanwhile
                        Path(path).write_text(value, encoding="ascii")
                for each in reversed(record.pop("folders")):  # innermost first
                    _remove_if_empty(Path(each))
                self._file.unlink(missing_ok=True)
            else:
                self._write(record)

    @property
    def _file(self) -> Path:
        return self.folder / "host.json"

    def _lock(self) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "lock")

    def _record(self) -> dict[str, Any]:
        try:
            known: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            known = {"boot": _boot(), "holders": [], "sysctls": {}, "folders": []}
        if known["boot"] != _boot():  # a restart of the machine put the network back; folders it kept
            known |= {"boot": _boot(), "holders": [], "sysctls": {}}
        return known

    def _write(self, record: Mapping[str, Any]) -> None:
        write(self._file, json.dumps(record), mode=0o600)

    def _free_subnet(self) -> ipaddress.IPv4Network:
        taken = [
            ipaddress.IPv4Network(route["dst"])
            for route in json.loads(self._run("ip", "-4", "-json", "route", "show", "table", "all"))
            if route["dst"] != "default"
        ]
        for subnet in _POOL.subnets(new_prefix=24):
            if not any(subnet.overlaps(each) for each in taken):
                return subnet
        raise SandboxError(f"no free /24 network for Docker in {_POOL}: `ip route` shows who holds them all")

    def _mtu(self) -> int:
        routes = json.loads(self._run("ip", "-4", "-json", "route", "show", "default"))
        if not routes:
            return 1500
        (link,) = json.loads(self._run("ip", "-json", "link", "show", "dev", routes[0]["dev"]))
        return int(link["mtu"])

    def _pass_foreign_firewall(self, bridge: str) -> None:
        """Where iptables drops what is forwarded (ufw does), an accept of our own table is not enough."""
        if shutil.which("iptables", path=self.environment["PATH"]) is None:
            return
        if "-P FORWARD DROP" in self._run("iptables", "-S", "FORWARD").splitlines():
            self._run("iptables", "-I", "FORWARD", "-i", bridge, "-j", "ACCEPT")
            self._run("iptables", "-I", "FORWARD", "-o", bridge, "-j", "ACCEPT")

    def _close_foreign_firewall(self, bridge: str) -> None:
        if shutil.which("iptables", path=self.environment["PATH"]) is None:
            return
        for rule in self._run("iptables", "-S", "FORWARD").splitlines():
            words = shlex.split(rule)
            if words[0] == "-A" and bridge in words:
                self._run("iptables", "-D", *words[1:])

    def _run(self, *command: str, text: str | None = None) -> str:
        try:
            done = subprocess.run(
                command, input=text, capture_output=True, text=True, check=False, env=dict(self.environment)
            )
        except FileNotFoundError:
            raise SandboxError(f"`{command[0]}` is missing: `python -m sandbox up` fetches it") from None
        if done.returncode != 0:
            raise SandboxError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
        return done.stdout


def _rules(network: Network, *, closed: bool) -> str:
    """A table of our own (nft(8)), so that taking it away leaves every other rule untouched.

    closed: forwarding was off on this machine: nobody but sandboxes may begin to use that it is on now.
    """
    bridge = network.bridge
    strangers = f'iifname != "{_PREFIX}*" ct state new drop' if closed else ""
    return f"""
    table ip {bridge} {{
        chain postrouting {{
            type nat hook postrouting priority srcnat;
            ip saddr {network.subnet} oifname != "{bridge}" masquerade
        }}
        chain forward {{
            type filter hook forward priority filter;
            oifname "{bridge}" iifname != "{bridge}" ct state new drop
            {strangers}
        }}
    }}
    """


def _missing(paths: Sequence[Path]) -> list[Path]:
    """What `mkdir --parents` would make for these, outermost first."""
    found: list[Path] = []
    for path in paths:
        found += [each for each in reversed([path, *path.parents]) if not each.exists() and each not in found]
    return found


def _remove_if_empty(path: Path) -> None:
    if path.is_dir() and not any(path.iterdir()):  # whoever put something there meanwhile keeps it
        path.rmdir()


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
