"""Each uplink in turn is taken down under a program, in each of four ways, and comes back."""
import functools
import select
import threading
import time

from servers import *
from uplinks_world import ETH_P_ALL, OUTGOING, RST, Seen

NARROW_MTU = 1280
CUT_S, CALM_S, PAUSE_S = 2, 1, 2
UPLINK_MBIT = 40
LONG, SHORT = 200000, 4000  # lines in packets of full size; of a long one both uplinks carry some
SPEAK = """
import socket, sys
lines = socket.create_connection((sys.argv[1], int(sys.argv[2]))).makefile("rw")
for line in iter(sys.stdin.readline, ""):
    lines.write(line); lines.flush()
    print(lines.readline(), end="", flush=True)
"""
# What a DHCP client and router advertisements set up again.
LEASE = """
    ip link set wan{i} up; ip addr replace 192.168.{i}.1/24 dev wan{i}; ip addr replace 2001:db8:{i}::1/64 dev wan{i} nodad
    ip route replace default via 192.168.{i}.2 metric 10{i}; ip -6 route replace default via 2001:db8:{i}::2 metric 10{i}
"""
# Beyond the uplink, behind the back of neighbours, who know each other as before.
DROP = """
    nft 'table netdev cut {
        chain in { type filter hook ingress device wan{i} priority 0; RULES; }
        chain out { type filter hook egress device wan{i} priority 0; RULES; }
    }'
"""
DROPPED = "nft -j list table netdev cut"


class Way:
    """Scripts for the host, or beyond the uplink."""

    def __init__(self, off, on, there=False):
        self.scripts, self.there = (off, on), there

    def set(self, world, i, on):
        run(self.scripts[on].replace("{i}", str(i)), *(world.server.enter if self.there else []))

    def harmed(self, world):
        """Whether it is felt: a packet was dropped, where packets are."""
        if not self.there:
            return True
        said = json.loads(subprocess.check_output([*world.server.enter, *DROPPED.split()]))["nftables"]
        parts = [part for one in said if "rule" in one for part in one["rule"]["expr"]]
        return sum(part["counter"]["packets"] for part in parts if "counter" in part) > 0


def dropping(*rules):
    rules = "; ".join(f"{rule} counter drop" for rule in rules)
    return Way(DROP.replace("RULES", rules), "nft delete table netdev cut", there=True)


WAYS = {"link down": Way("ip link set wan{i} down", LEASE),
        "address removed": Way("ip addr del 192.168.{i}.1/24 dev wan{i}", LEASE),
        "silence": dropping("meta protocol { ip, ip6 }"),
        "MTU of 1280 that nobody tells of": dropping(f"ip length > {NARROW_MTU}", f"ip6 length > {NARROW_MTU - 40}")}


class Work(threading.Thread):
    """What goes on while uplinks come and go."""
    ENOUGH = 1  # bytes that come by an uplink when it is used
    BACK_S = 1  # told or not: who is silent is asked twice a second
    pause_s, problem = 0, None

    def __init__(self):
        super().__init__(daemon=True)
        self.start()

    def run(self):
        try:
            self.work()
        except Exception as problem:
            self.problem = f"{type(problem).__name__}: {problem}"

    def waited(self, since_s):
        now_s = time.monotonic()
        self.pause_s = max(self.pause_s, now_s - since_s)
        return now_s

    def speak(self):
        """Called when an uplink is down."""

    def back_s(self, world, way, i):
        """The uplink comes back: returns how long after all is set up it is used, or None."""
        tap = Tap(i)
        way.set(world, i, on=True)
        return tap.used_s(self.ENOUGH)

    def done(self):
        self.join(programs_world.PATIENCE_S)
        assert not self.is_alive() and not self.problem, self.problem or "it does not end"


class Download(Work):
    ENOUGH, SIZE = 100000, 100 * MIB

    def __init__(self, world):
        world.nginx()
        world.file("file", self.SIZE)
        self.client = world.popen("curl", "-sS", f"http://{SERVER}:8000/file", stdout=subprocess.PIPE)
        select.select([self.client.stdout], [], [])
        super().__init__()

    def work(self):
        sha, last_s = hashlib.sha256(), None
        while piece := os.read(self.client.stdout.fileno(), 1 << 16):
            last_s = self.waited(last_s or time.monotonic())
            sha.update(piece)
        assert self.client.wait() == 0 and sha.hexdigest() == digest(self.SIZE), "wrong bytes"

    def done(self):
        assert self.is_alive(), self.problem or "it was over before the uplinks were back"
        super().done()


class Upload(Download):
    """Judged where it arrives."""
    ENOUGH = 5000  # of acknowledgements

    def __init__(self, world):
        world.file("file", self.SIZE)
        self.arrived = threading.Event()
        world.serve(8000, self.take, MPTCP)
        self.client = world.popen("curl", "-sST", f"{world.room}/www/file", f"http://{SERVER}:8000/file", stdout=subprocess.PIPE)
        self.arrived.wait()
        Work.__init__(self)

    def take(self, sock):
        with sock, sock.makefile("rb") as stream:
            while stream.readline().strip():
                pass
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.arrived.set()
            sha, left, last_s = hashlib.sha256(), self.SIZE, time.monotonic()
            while left and (piece := stream.read1(min(left, 1 << 16))):
                last_s = self.waited(last_s)
                sha.update(piece)
                left -= len(piece)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n" + sha.hexdigest().encode())

    def work(self):
        said = self.client.stdout.read().decode()
        assert self.client.wait() == 0 and said == digest(self.SIZE), said or "no answer"


class Session(Work):
    """A shell at the far end: a line is typed, and when it was obeyed, the next. Both ends have packets of full size to send."""
    TYPED = b": " + b"x" * 3000 + b"; printf %%05000d 0; echo said-$((1000000+%d))\n"  # a terminal takes no longer lines than 4095

    def __init__(self, world):
        options = world.sshd()
        self.client = world.popen("ssh", "-tt", *options, "-p", "2222", f"root@{SERVER}", "exec sh", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.over, self.lines = threading.Event(), 0
        self.type(b"echo $((40+2))\n", b"42\r\n")  # from here on it is logged in
        super().__init__()

    def type(self, line, answer):
        began_s, said = time.monotonic(), b""
        self.client.stdin.write(line)
        self.client.stdin.flush()
        while answer not in said:
            assert select.select([self.client.stdout], [], [], programs_world.PATIENCE_S)[0], f"no answer to {line}"
            assert (piece := os.read(self.client.stdout.fileno(), 1 << 16)), f"an end instead of {answer}"
            said += piece
        return began_s

    def work(self):
        while not self.over.wait(0.05):
            self.lines += 1
            self.waited(self.type(self.TYPED % self.lines, b"said-%d\r\n" % (1000000 + self.lines)))

    def done(self):
        self.over.set()
        super().done()
        self.client.stdin.write(b"exit 7\n")
        self.client.stdin.flush()
        assert self.client.wait(programs_world.PATIENCE_S) == 7


class Idle(Work):
    """Silent, but when an uplink is down. That one is used again is seen when the other one is down at once."""

    def __init__(self, world):
        world.serve(7777, self.answer, MPTCP)
        self.client = world.popen(PYTHON, "-uc", SPEAK, SERVER, "7777", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lines = 0
        self.speak()
        self.pause_s = 0  # so far it was started
        super().__init__()

    @staticmethod
    def answer(sock):
        with sock.makefile("rb") as lines:
            for line in lines:
                sock.sendall(line)

    def work(self):
        pass

    def speak(self, size=LONG):
        began_s, self.lines = time.monotonic(), self.lines + 1
        line = b"line %d %s\n" % (self.lines, b"x" * size)
        self.client.stdin.write(line)
        self.client.stdin.flush()
        assert select.select([self.client.stdout], [], [], programs_world.PATIENCE_S)[0], "no answer"
        assert (said := self.client.stdout.readline()) == line, f"{len(said)} bytes, which are not line {self.lines}"
        self.waited(began_s)

    def back_s(self, world, way, i):
        other = WAYS["silence"] if way.there else way  # by a narrow one it would get through in the end
        way.set(world, i, on=True)
        began_s = time.monotonic()
        other.set(world, 1 - i, on=False)
        self.speak(SHORT)
        took_s = time.monotonic() - began_s
        other.set(world, 1 - i, on=True)
        return took_s

    def done(self):
        super().done()
        self.client.stdin.close()
        assert self.client.wait() == 0


class Tap:
    """What comes by an uplink, of connections of which something has left by it."""

    def __init__(self, i):
        self.sock, self.ports = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)), set()
        self.sock.bind((f"wan{i}", ETH_P_ALL))

    def tcp(self):
        """The next segment, and whether it leaves; or None."""
        if not select.select([self.sock], [], [], 1)[0]:
            return None
        with contextlib.suppress(OSError):  # that it was down
            data, (_, kind, direction, *_) = self.sock.recvfrom(70000)
            seen = Seen(data) if kind in (0x800, 0x86dd) else None
            return (seen, direction == OUTGOING, len(data)) if seen and seen.protocol == socket.IPPROTO_TCP else None

    def used_s(self, enough):
        """How long from now it takes until so many bytes have come; None if that is too long."""
        began_s, got = time.monotonic(), 0
        while (now_s := time.monotonic() - began_s) < programs_world.PATIENCE_S / 10:
            if not (found := self.tcp()):
                continue
            seen, leaves, size = found
            if leaves:
                self.ports.add(seen.port)
            elif seen.to_port in self.ports and not seen.flags & RST:
                got += size
            if got >= enough:
                return now_s
        return None


def survives(make, way):
    world = Servers(rate_mbit=UPLINK_MBIT)
    for i in (0, 1):  # packets as they are on a wire, whose length can be seen
        for space in (Host, world.server):
            run(f"ip link set wan{i} gso_max_segs 1", *space.enter)
    work, way, back_s = make(world), WAYS[way], []
    for i in (0, 1):
        time.sleep(CALM_S)
        way.set(world, i, on=False)
        time.sleep(CUT_S)
        world.until(lambda: work.speak() or way.harmed(world), f"nothing is lost on wan{i}", patience_s=5)
        back_s.append(work.back_s(world, way, i))
    time.sleep(CALM_S)
    work.done()
    assert None not in back_s, f"used again after {back_s} s"
    said = f"longest pause {work.pause_s * 1000:.0f} ms; used again after " + " and ".join(f"{s * 1000:.0f}" for s in back_s) + " ms"
    assert work.pause_s < PAUSE_S, said
    assert max(back_s) < work.BACK_S, said
    world.end()
    return said


def cases():
    for what, make in (("curl", Download), ("curl, upload", Upload), ("ssh", Session), ("idle", Idle)):
        for way in WAYS:
            yield f"cut under {what}: {way}", functools.partial(survives, make, way)
