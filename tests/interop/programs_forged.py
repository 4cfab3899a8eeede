"""What a program that is root of its network sends by its pair of devices, past all that the kernel's sockets would do."""
import contextlib
import functools
import json
import socket
import struct
import time

from programs_world import *

ETH_P_ALL = 3
OUTGOING = 4  # socket.PACKET_OUTGOING
HOST, HOST_V6, ROUTER = "192.168.0.1", "2001:db8::1", "192.168.0.2"
OWN, OWN_V6 = "198.19.0.6", "2001:2:0:4857::2"  # of the first program
ICMP, IPIP, UDP, GRE, ESP, ICMPV6, OSPF, SCTP = 1, 4, 17, 47, 50, 58, 89, 132
# From standard input: [protocol, source, destination, payload in hex, where the checksum is].
FORGE = """
import json, socket, struct, subprocess, sys, time
while b"state UP" not in subprocess.run(["ip", "link", "show", "eth0"], stdout=subprocess.PIPE).stdout:
    time.sleep(0.01)  # until then the kernel loses what is sent there
raw = {family: socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) for family in (socket.AF_INET, socket.AF_INET6)}
for s in raw.values():
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
def checksum(data):
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return struct.pack(">H", ~total & 0xffff)
for protocol, source, to, payload, at in json.load(sys.stdin):
    family, payload = socket.AF_INET6 if ":" in to else socket.AF_INET, bytes.fromhex(payload)
    ends = socket.inet_pton(family, source) + socket.inet_pton(family, to)
    pseudo = b"" if protocol == 1 else ends + struct.pack(">II", len(payload), protocol)
    if at is not None:
        payload = payload[:at] + checksum(pseudo + payload) + payload[at + 2:]
    if family == socket.AF_INET:
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0) + ends
    else:
        head = struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + ends
    raw[family].sendto(head + payload, (to, 0))
print("sent")
sys.stdin.close()
time.sleep(0.3)
"""


def udp(source, to, from_port, to_port):
    return UDP, source, to, (struct.pack(">HHHH", from_port, to_port, 12, 0) + b"abcd").hex(), 6


def icmp(kind, source=OWN, to=SERVER):
    return ICMPV6 if ":" in to else ICMP, source, to, (bytes([kind, 0, 0, 0, 1, 2, 3, 4]) + bytes(40)).hex(), 2


def raw(protocol, source=OWN, to=SERVER):
    return protocol, source, to, (b"\x01" * 24).hex(), None


def send(world, packets):
    text = json.dumps(packets).encode()
    assert world.run(PYTHON, "-c", FORGE, user=0, input=text) == "sent\n"


class Wire:
    """What comes to the far ends of both uplinks: a set of (protocol, source, its port or type and code)."""

    def __init__(self, world):
        self.seen = set()
        with world.server.inside():
            self.tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.tap.setblocking(False)

    def read(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                data, (device, ethertype, kind, *_) = self.tap.recvfrom(65536)
                family, at = (socket.AF_INET, 12) if ethertype == 0x0800 else (socket.AF_INET6, 8)
                size = 4 if family == socket.AF_INET else 16
                source = socket.inet_ntop(family, data[at:at + size]) if ethertype in (0x0800, 0x86dd) else "::"
                if kind != OUTGOING and device.startswith("wan") and not source.startswith(("::", "fe80:")):
                    what = data[9 if size == 4 else 6], source, struct.unpack_from(">H", data, at + 2 * size)[0]
                    if what[0] != ICMPV6 or what[2] >> 8 not in range(133, 137):  # neighbours
                        self.seen.add(what)
        return self.seen


def listener():
    heard = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    heard.bind(("::", 5353))
    heard.settimeout(0.2)
    return heard


def sources(hawser):
    """Other addresses than the program's own, to a socket of the host's."""
    world, heard, seen = World(hawser, found=True), listener(), set()
    run("sysctl -qw net.ipv4.conf.all.rp_filter=2")  # as many a distribution has it: the laxer one of two counts
    # As a VPN has it that takes everything.
    run(f"for v in 4 6; do ip -$v route add default dev wan1 table 77; ip -$v rule add pref 100 lookup 77; "
        "ip -$v rule add pref 99 lookup main suppress_prefixlength 0; done")
    others = [(ROUTER, HOST), ("8.8.8.8", HOST), ("198.19.0.10", HOST), ("2001:db8::2", HOST_V6), ("2001:db8::77", HOST_V6),
              ("2a00::1", HOST_V6), ("2001:2:0:4857::9", HOST_V6)]
    send(world, [udp(*ends, 53, 5353) for ends in (*others, (OWN, HOST), (OWN_V6, HOST_V6))])
    with contextlib.suppress(TimeoutError):
        while True:
            seen.add(heard.recvfrom(100)[1][0])
    assert seen == {f"::ffff:{OWN}", OWN_V6}, seen
    world.end()
    return "not heard, of IPv4 and IPv6; its own are"


def untranslated(hawser):
    """What conntrack calls invalid, or is told to leave alone."""
    world = World(hawser, found=True)
    run("nft 'add table inet theirs; add chain inet theirs first { type filter hook prerouting priority -310; }; "
        "add rule inet theirs first udp dport 5001 notrack'")
    wire, ends = Wire(world), ((OWN, SERVER), (OWN_V6, SERVER_V6))
    send(world, [raw(protocol, *both) for both in ends for protocol in (GRE, SCTP)] +
         [udp(*both, 4000, to) for both in ends for to in (5001, 5002)])
    wanted = {(UDP, HOST, 4000), (UDP, HOST_V6, 4000)}
    world.until(lambda: wanted <= wire.read(), f"not all have come: {wire.seen}", 5)
    assert wire.seen == wanted, wire.seen
    run("nft delete table inet theirs")
    world.end()
    return "does not leave with a program's address"


def privileged(hawser):
    """What a user may not send from a socket, and would, with the host's address."""
    world, ends = World(hawser, found=True), ((OWN, SERVER), (OWN_V6, SERVER_V6))
    for _, address in ends:
        world.serve_datagrams(ECHO, lambda data: (time.sleep(0.1), data)[1], address)
    wire = Wire(world)
    refused = [raw(protocol, *both) for both in ends for protocol in (IPIP, ESP, OSPF)]
    refused += [icmp(kind, OWN, SERVER) for kind in (3, 5, 9, 13)] + [icmp(kind, OWN_V6, SERVER_V6) for kind in (1, 137, 139)]
    send(world, refused + [udp(*both, port, 5002) for both in ends for port in (53, 514, 1024)] +
         [icmp(8, OWN, SERVER), icmp(128, OWN_V6, SERVER_V6)])
    world.python("""
import socket, sys, time
for _ in range(3):
    for at in sys.argv[1:]:  # nobody is there any more when the answer comes
        socket.socket(socket.AF_INET6 if ":" in at else socket.AF_INET, socket.SOCK_DGRAM).sendto(b"abc", (at, 7))
    time.sleep(0.3)""", SERVER, SERVER_V6)
    wanted = {(UDP, HOST, 1024), (UDP, HOST_V6, 1024), (ICMP, HOST, 0x0800), (ICMP, HOST, 0x0303), (ICMPV6, HOST_V6, 0x8000), (ICMPV6, HOST_V6, 0x0104)}
    world.until(lambda: wanted <= wire.read(), f"not all have come: {wanted - wire.seen}", 5)
    ports = [what for protocol, _, what in wire.seen - wanted if protocol == UDP]
    assert len(ports) >= 6 and min(ports) >= 1024, ports
    assert not (others := {what for what in wire.seen - wanted if what[0] != UDP}), others
    world.end()
    return "UDP from free ports, echo requests and errors of what is under way"


def cases(hawser):
    bind = functools.partial
    yield "forged datagrams", bind(sources, hawser)
    yield "datagrams that are not translated", bind(untranslated, hawser)
    yield "privileged datagrams", bind(privileged, hawser)
