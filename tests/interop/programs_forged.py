"""What a program that is root of its network sends by its pair of devices, past all that the kernel's sockets would do."""
import contextlib
import functools
import json
import socket
import struct
import subprocess

from programs_world import *

ETH_P_ALL = 3
OUTGOING = 4  # socket.PACKET_OUTGOING
HOST, HOST_V6, ROUTER = "192.168.0.1", "2001:db8::1", "192.168.0.2"
OWN, OWN_V6 = "198.19.0.6", "2001:2:0:4857::2"  # of the first program
UDP, ICMP, ICMPV6 = 17, 1, 58
# From standard input: [protocol, source, destination, payload in hex, where the checksum is].
FORGE = """
import json, socket, struct, sys
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
import time; time.sleep(0.3)
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


@contextlib.contextmanager
def wire(world):
    """A list of what comes to the far ends of both uplinks: (protocol, source, its port or type and code)."""
    with world.server.inside():
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    seen = []
    yield seen
    tap.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            data, (device, ethertype, kind, *_) = tap.recvfrom(65536)
            if kind == OUTGOING or not device.startswith("wan"):
                continue
            if ethertype == 0x0800:
                seen.append((data[9], socket.inet_ntoa(data[12:16]), struct.unpack(">H", data[20:22])[0]))
            elif ethertype == 0x86dd:
                seen.append((data[6], socket.inet_ntop(socket.AF_INET6, data[8:24]), struct.unpack(">H", data[40:42])[0]))


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


def cases(hawser):
    bind = functools.partial
    yield "forged datagrams", bind(sources, hawser)
