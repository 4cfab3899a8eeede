"""Two uplinks of a namespace, what is beyond them, and a device of the stack, for interop/uplinks."""
import ctypes
import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import tempfile
import time

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET, TUNSETIFF, IFF_TUN, IFF_NO_PI, ETH_P_ALL, OUTGOING = 0x40000000, 0x400454CA, 1, 0x1000, 3, 4
MPTCP = 262
SERVER = {4: "192.0.2.80", 6: "2001:db8:80::1"}
SYN, RST, ACK = 2, 4, 16


def sh(script):
    return subprocess.run(script, shell=True, check=True, capture_output=True, text=True).stdout


def outside(number, family=4, host=2):
    return f"10.{number}.0.{host}" if family == 4 else f"2001:db8:{number}::{host}"


def inside(number, family=4):
    return f"198.18.0.{number}" if family == 4 else f"fd48:6177:7372::{number}"


def checksum(data):
    total = sum(struct.unpack(f"!{len(data + b' ') // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packet(source, destination, protocol, payload):
    """An IP packet; the transport's checksum is filled in at the place where TCP or UDP has it."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    ends = socket.inet_pton(family, source) + socket.inet_pton(family, destination)
    place = {6: 16, 17: 6}[protocol]
    total = checksum(ends + struct.pack("!HH", protocol, len(payload)) + payload)
    payload = payload[:place] + struct.pack("!H", total) + payload[place + 2:]
    if family == socket.AF_INET6:
        return struct.pack("!IHBB", 0x60000000, len(payload), protocol, 64) + ends + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0) + ends
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def tcp(source, port, destination, to_port, flags, sequence=1000, ack=0, options=b"", data=b""):
    words = 5 + len(options) // 4
    return packet(source, destination, 6, struct.pack("!HHIIBBHHH", port, to_port, sequence, ack, words << 4, flags, 65000, 0, 0) +
                  options + data)


def udp(source, port, destination, to_port):
    return packet(source, destination, 17, struct.pack("!HHHH", port, to_port, 8, 0))


class Seen:
    """What a packet says, of TCP and UDP."""

    def __init__(self, data):
        if data[0] >> 4 == 4:
            self.source, self.destination = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
            self.protocol, rest = data[9], data[(data[0] & 15) * 4:]
        else:
            self.source, self.destination = (socket.inet_ntop(socket.AF_INET6, data[i:i + 16]) for i in (8, 24))
            self.protocol, rest = data[6], data[40:]
        self.port, self.to_port = struct.unpack("!HH", rest[:4]) if self.protocol in (6, 17) else (0, 0)
        self.flags = rest[13] if self.protocol == 6 else 0
        self.options = rest[20:(rest[12] >> 4) * 4] if self.protocol == 6 else b""

    def __repr__(self):
        return f"{self.source}:{self.port} > {self.destination}:{self.to_port} protocol {self.protocol} {self.flags:#x}"


def arrived(sock, patience_s=0.3, wanted=lambda seen: True):
    """Everything that comes until nothing has for so long, or the first that is wanted and a moment more."""
    found = []
    while select.select([sock], [], [], patience_s)[0]:
        if isinstance(sock, socket.socket):
            data, (_, kind, direction, *_) = sock.recvfrom(70000)
            if direction == OUTGOING or kind not in (0x800, 0x86dd):
                continue
        else:
            data = os.read(sock.fileno(), 70000)
        seen = Seen(data)
        if seen.protocol in (6, 17) and wanted(seen):
            found.append(seen)
    return found


def icmp_error(tun, patience_s=1.0):
    """The first ICMP error that comes to the stack: its type, its code, and its last two bytes before what it quotes."""
    while select.select([tun], [], [], patience_s)[0]:
        data = os.read(tun.fileno(), 70000)
        protocol, rest = (data[9], data[20:]) if data[0] >> 4 == 4 else (data[6], data[40:])
        if protocol in (1, 58):
            return rest[0], rest[1], int.from_bytes(rest[6:8], "big")
    return None


class Far:
    """The other side of the uplinks: a namespace, in which this process makes its sockets."""

    def __init__(self, *numbers):
        self.here = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.process = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 1000"], stdout=subprocess.PIPE)
        self.process.stdout.readline()
        self.there = os.open(f"/proc/{self.process.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.run(f"ip link set lo up; ip addr add {SERVER[4]}/32 dev lo; ip addr add {SERVER[6]}/128 dev lo nodad; "
                 "ip mptcp limits set subflows 8 add_addr_accepted 8; sysctl -q net.mptcp.enabled=1")
        sh("ip link set lo up")
        for number in numbers:
            self.cable(number)

    def inside(self, make):
        assert LIBC.setns(self.there, CLONE_NEWNET) == 0
        try:
            return make()
        finally:
            LIBC.setns(self.here, CLONE_NEWNET)

    def run(self, script):
        return self.inside(lambda: sh(script))

    def cable(self, number):
        """The two ends, the near one down and without address."""
        sh(f"ip link add e{number} type veth peer name p{number} netns {self.process.pid}")
        self.run(f"ip link set p{number} up; ip addr add {outside(number, 4, 1)}/24 dev p{number}; "
                 f"ip addr add {outside(number, 6, 1)}/64 dev p{number} nodad")

    def tap(self, number):
        def make():
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
            sock.bind((f"p{number}", ETH_P_ALL))
            return sock
        return self.inside(make)

    def listen(self, family=4, port=80, protocol=0):
        def make():
            kind = socket.AF_INET if family == 4 else socket.AF_INET6
            sock = socket.socket(kind, socket.SOCK_STREAM, protocol)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((SERVER[family], port))
            sock.listen(100)
            sock.settimeout(20)
            return sock
        return self.inside(make)


def plug(number, families=(4, 6), metric=None):
    """Gives an interface what DHCP and router advertisements would."""
    metric = metric or 100 * number
    sh(f"ip link set e{number} up")
    if 4 in families:
        sh(f"ip addr add {outside(number)}/24 dev e{number}; "
           f"ip route add default via {outside(number, 4, 1)} dev e{number} proto dhcp src {outside(number)} metric {metric}")
    if 6 in families:
        sh(f"ip addr add {outside(number, 6)}/64 dev e{number} nodad; "
           f"ip -6 route add default via {outside(number, 6, 1)} dev e{number} proto ra metric {metric}")
        end = time.monotonic() + 5  # the kernel's own route follows the carrier, which a busy machine finds late
        while time.monotonic() < end and not sh(f"ip -6 route show table local {outside(number, 6)}"):
            time.sleep(0.01)


class Tun:
    """The stack's device, without the stack."""

    def __init__(self, name="up0"):
        self.file = open("/dev/net/tun", "r+b", buffering=0)
        fcntl.ioctl(self.file, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
        with open(f"/proc/sys/net/ipv6/conf/{name}/addr_gen_mode", "w") as mode:
            mode.write("1")

    def send(self, data):
        self.file.write(data)

    def fileno(self):
        return self.file.fileno()


class Uplinks:
    """The program that keeps the uplinks."""

    def __init__(self, build, *excluded, ready=True, prefix=(), memory=None):
        self.memory = memory or os.path.join(tempfile.gettempdir(), f"uplinks-{os.getpid()}.sysctls")
        self.process = subprocess.Popen([*prefix, f"{build}/tests/uplinks", "up0", self.memory, *excluded],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pending = b""
        self.first, self.aside = [], ""
        while ready and (line := self.line(10)) != "ready":
            assert line and line.startswith(("came", "aside")), f"at the start: {line}"
            if line.startswith("came"):
                self.first.append(line)
            else:
                self.aside = line

    def line(self, patience_s=1.0):
        end = time.monotonic() + patience_s
        while b"\n" not in self.pending:
            if not select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]:
                return None
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return None
            self.pending += data
        line, self.pending = self.pending.split(b"\n", 1)
        return line.decode()

    def told(self, *words, patience_s=1.0):
        """Waits for these events, in any order, within a second all together; returns how long the last took."""
        began_s = time.monotonic()
        left = list(words)
        while left:
            line = self.line(patience_s - (time.monotonic() - began_s))
            assert line, f"not told within {patience_s} s: {left}"
            known = [word for word in left if line.startswith(word)]
            assert known, f"told {line}, not {left}"
            left.remove(known[0])
        return time.monotonic() - began_s

    def quiet(self, patience_s=0.3):
        line = self.line(patience_s)
        assert line is None, f"told without need: {line}"

    def stop(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0, self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait()


def state():
    """All that must be after as it was before, but for the device itself and for what a new cable's address brings."""
    def lines(command, *without):
        return sorted(line for line in sh(command).splitlines() if not any(word in line for word in without))
    return {"nft": lines("nft list ruleset"), "rules": lines("ip rule; ip -6 rule"),
            "routes": lines("ip route show table all; ip -6 route show table all", "ff00::/8 dev up0", "fe80::"),
            "sysctls": lines("sysctl -a 2>/dev/null | grep -E 'forwarding|reserved_ports|rp_filter|fwmark'", ".up0.")}


def carried(device):
    """Bytes sent."""
    return json.loads(sh(f"ip -s -j link show {device}"))[0]["stats64"]["tx"]["bytes"]


def compare(before, after):
    for what in before:
        assert before[what] == after[what], f"{what} before:\n{before[what]}\nafter:\n{after[what]}"
