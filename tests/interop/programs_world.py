"""A host with `hawser up`, two uplinks and a server behind them, for tests of `hawser run`."""
import contextlib
import ctypes
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import cases
from spaces import Space

MPTCP = 262
SERVER, SERVER_V6 = "10.8.0.1", "2001:db8:8::1"
HTTP, PLAIN, ECHO, RESETS, SLOW, NOBODY = 80, 8080, 7, 9, 19, 81
LOOPBACK = 9000  # of the host
MIB = 1 << 20
PATTERN = random.Random(1).randbytes(4 * MIB + 7)  # of no length that a buffer has
PATIENCE_S = 20
USER = 1000
PYTHON = "/usr/bin/python3"  # which every user may run
INSIDE = "grep -q door0: /proc/net/dev"  # for a shell: is it in a network of Hawser's
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 4096, 16384, 1 << 18

HOST = """
    ip link set lo up
    sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
    for i in 0 1; do
        ip link add wan$i type veth peer name wan$i netns {server}
        ip addr add 192.168.$i.1/24 dev wan$i; ip link set wan$i up
        ip route add default via 192.168.$i.2 table 10$i
        ip rule add from 198.18.$i.1 lookup 10$i pref 60$i
    done
    ip route add default via 192.168.0.2
"""
# As a host has it that does not forward, with two routers and no idea of Hawser.
PLAIN_HOST = """
    ip link set lo up
    for i in 0 1; do
        ip link add wan$i type veth peer name wan$i netns {server}
        ip addr add 192.168.$i.1/24 dev wan$i; ip addr add 2001:db8:$i::1/64 dev wan$i nodad; ip link set wan$i up
        ip route add default via 192.168.$i.2 metric 10$i; ip -6 route add default via 2001:db8:$i::2 metric 10$i
    done
"""
FAR_V6 = """
    ip addr add 2001:db8:8::1/128 dev lo
    for i in 0 1; do ip addr add 2001:db8:$i::2/64 dev wan$i nodad; done
"""
FAR = """
    ip link set lo up; ip addr add 10.8.0.1/32 dev lo
    sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0
    echo 1 >/proc/sys/net/mptcp/enabled; ip mptcp limits set subflows 8 add_addr_accepted 8
    for i in 0 1; do
        ip addr add 192.168.$i.2/24 dev wan$i; ip link set wan$i up
        ip route add 198.18.$i.0/24 via 192.168.$i.1
    done
    ip route add throw 10.8.0.2; ip route add unreachable 10.8.0.3; ip route add prohibit 10.8.0.4
    ip route add blackhole 10.8.0.5
"""


def run(script, *enter):
    subprocess.run([*enter, "sh", "-ec", script], check=True)


def pieces(size):
    """The stream that the server sends, and that clients send."""
    for at in range(0, size, len(PATTERN)):
        yield PATTERN[:min(len(PATTERN), size - at)]


def digest(size):
    sha = hashlib.sha256()
    for piece in pieces(size):
        sha.update(piece)
    return sha.hexdigest()


def http(sock):
    request = b""
    while b"\r\n\r\n" not in request:
        request += (piece := sock.recv(65536))
        if not piece:
            return
    size = int(request.split()[1][1:])
    sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size)
    for piece in pieces(size):
        sock.sendall(piece)
    sock.shutdown(socket.SHUT_WR)
    sock.recv(1)


def echo(sock):
    """Sends what came, once all of it is here: so the client has closed its half long before it gets the first byte."""
    sha, size = hashlib.sha256(), 0
    while piece := sock.recv(1 << 20):
        sha.update(piece)
        size += len(piece)
    sock.sendall(b"%d %s" % (size, sha.hexdigest().encode()))
    sock.shutdown(socket.SHUT_WR)


def resets(sock):
    """In the middle of a transfer."""
    sock.sendall(PATTERN[:2 * MIB])
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def slow(sock):
    """Sends without end, whenever somebody reads."""
    while True:
        sock.sendall(PATTERN)


def hello(sock):
    sock.sendall(b"hello from the host")


def dns_answer(query):
    """Every name is that of the server."""
    at = 12
    while query[at]:
        at += query[at] + 1
    kind = struct.unpack(">H", query[at + 1:at + 3])[0]
    found = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(SERVER) if kind == 1 else b""
    return query[:2] + struct.pack(">HHHHH", 0x8180, 1, bool(found), 0, 0) + query[12:at + 5] + found


def dns_stream(sock):
    size = struct.unpack(">H", sock.recv(2))[0]
    answer = dns_answer(sock.recv(size))
    sock.sendall(struct.pack(">H", len(answer)) + answer)


def private_files(names):
    """Of this case alone: what lies at these paths is `names`' text."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(CLONE_NEWNS) == 0, os.strerror(ctypes.get_errno())
    assert libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None) == 0
    for path, text in names.items():
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            file.write(text)
        os.chmod(file.name, 0o644)
        assert libc.mount(file.name.encode(), path.encode(), None, MS_BIND, None) == 0, os.strerror(ctypes.get_errno())
        os.unlink(file.name)


def counted(said):
    """What the service counted of connections of programs, by its last word: each that came by it is in there."""
    line = re.search("^.*door programs: (.*)", said, re.M)[1]
    return {what.strip(): int(number) for number, what in re.findall(r"(\d+) ([a-z ]+)", line)}


class World:
    """All of it, with servers that run."""

    UPLINKS = "--uplink tun,dev=up0,addr=198.18.0.1/24 --uplink tun,dev=up1,addr=198.18.1.1/24".split()

    def __init__(self, hawser, *words, found=False):
        """`found`: the service is told of no uplinks."""
        self.hawser, self.server = hawser, Space()
        run((PLAIN_HOST if found else HOST).format(server=self.server.pid))
        run(FAR, *self.server.enter)
        if found:
            run(FAR_V6, *self.server.enter)
        for port, talk in ((HTTP, http), (ECHO, echo), (RESETS, resets), (SLOW, slow)):
            self.serve(port, talk, MPTCP)
        self.serve(PLAIN, http)
        self.serve(LOOPBACK, hello, address="127.0.0.1", space=None)
        self.room = tempfile.mkdtemp(prefix="hawser-programs-")
        os.chmod(self.room, 0o755)
        self.control = f"{self.room}/control"
        self.start(*(() if found else self.UPLINKS), *words)

    def start(self, *words):
        self.log = open(f"{self.room}/log", "w+")
        self.up = subprocess.Popen([self.hawser, "up", "-v", "--control", self.control, *words], stderr=self.log)
        self.until(lambda: "ready" in self.said(), "it is not ready")
        os.chown(self.control, 0, USER)
        os.chmod(self.control, 0o660)

    def said(self):
        with open(self.log.name) as log:
            return log.read()

    @staticmethod
    def until(holds, what, patience_s=PATIENCE_S):
        end_s = time.monotonic() + patience_s
        while not holds():
            assert time.monotonic() < end_s, what
            time.sleep(0.01)

    def serve(self, port, talk, protocol=0, address=SERVER, space=True):
        with self.server.inside() if space else contextlib.nullcontext():
            listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(4096)

        def one(sock):
            with contextlib.suppress(ConnectionError), sock:
                talk(sock)

        def accept():
            while True:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()

    def serve_datagrams(self, port, answer, address=SERVER, space=True):
        with self.server.inside() if space else contextlib.nullcontext():
            sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((address, port))

        def talk():
            while True:
                data, peer = sock.recvfrom(65536)
                with contextlib.suppress(OSError):  # to nowhere
                    sock.sendto(answer(data), peer)
        threading.Thread(target=talk, daemon=True).start()

    def resolver(self):
        """As systemd-resolved has it."""
        self.serve_datagrams(53, dns_answer, "127.0.0.53", None)
        self.serve(53, dns_stream, address="127.0.0.53", space=None)

    def words(self, *program, options=(), user=USER):
        drop = ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups"] if user else []
        return [*drop, self.hawser, "run", "--control", self.control, *options, "--", *program]

    def popen(self, *program, options=(), user=USER, **rest):
        return subprocess.Popen(self.words(*program, options=options, user=user), **rest)

    def run(self, *program, options=(), user=USER, **rest):
        """What it says; its status is 0."""
        done = subprocess.run(self.words(*program, options=options, user=user), capture_output=True, timeout=PATIENCE_S, **rest)
        assert done.returncode == 0, f"{program[0]}: {done.returncode}: {done.stderr.decode()}"
        return done.stdout.decode()

    def python(self, text, *arguments, **rest):
        return self.run(PYTHON, "-c", text, *map(str, arguments), **rest).strip()

    def carried(self, way="rx"):
        """Bytes that came, or with "tx" left, by each uplink."""
        def of(device):
            out = subprocess.run(["ip", "-j", "-s", "link", "show", "dev", device], capture_output=True, check=True).stdout
            return json.loads(out)[0]["stats64"][way]["bytes"]
        return [of("wan0"), of("wan1")]

    @staticmethod
    def pairs():
        """Devices of programs that there are."""
        return [name for _, name in socket.if_nameindex() if name.startswith("hawser-")]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.up.pid}/fd"))

    def end(self):
        """It ends in order, and nothing is left; returns what it said."""
        self.up.send_signal(signal.SIGTERM)
        assert self.up.wait(timeout=10) == 0, self.said()
        assert not self.pairs(), self.pairs()
        rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
        assert "hawser" not in rules, rules
        said = self.said()
        shutil.rmtree(self.room)
        return said
