"""`hawser run` with a word about its connections, for interop/programs; and the roles that a service gives to uplinks."""
import errno
import functools
import json
import os
import select
import subprocess

import seccomp
from programs_world import *

CONNECTS = """
import errno, socket, sys
kept = []
for line in sys.stdin:
    s = socket.socket()
    result = s.connect_ex((sys.argv[1], int(line)))
    kept.append(s)
    print(errno.errorcode.get(result, result), flush=True)
"""
HOLDS = """
import errno, socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
print("connected", flush=True)
try:
    while s.recv(1 << 16): pass
    print("the end")
except OSError as error:
    print(errno.errorcode[error.errno])"""

SERVES = """
import hashlib, socket, sys, threading
listener = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
print("listening", flush=True)
def talk(sock, peer):
    sha = hashlib.sha256()
    while piece := sock.recv(1 << 20): sha.update(piece)
    sock.sendall((peer[0] + " " + sha.hexdigest() + "\\n").encode())
    sock.close()
while True:
    threading.Thread(target=talk, args=listener.accept(), daemon=True).start()
"""
QUIC, SILENT_V6 = 443, "2001:db8:8::5"
OUTSIDE, CLIENT = {4: "192.168.0.1", 6: "2001:db8:0::1"}, {4: "192.168.0.2", 6: "2001:db8::2"}


def carried_by(world, size, options, port=HTTP):
    """Bytes by each uplink of a download."""
    before = world.carried()
    curl = world.popen("curl", "-sS", "--max-time", "60", f"http://{SERVER}:{port}/{size}", options=options, stdout=subprocess.PIPE)
    sha = hashlib.sha256()
    while piece := curl.stdout.read(1 << 20):
        sha.update(piece)
    assert sha.hexdigest() == digest(size) and curl.wait() == 0, "wrong bytes"
    return [now - then for now, then in zip(world.carried(), before)]


def crowd_of_one(hawser):
    """By IPv6, too, one program has its own share of the door only, though all of them have addresses of one /64."""
    world, waiting = World(hawser, found=True), 1024  # half of what may wait
    world.serve(HTTP, http, MPTCP, SERVER_V6)
    crowd = world.popen(PYTHON, "-uc", """
import resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (2048, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
kept = []
for _ in range(1100):
    kept.append(socket.socket(socket.AF_INET6))
    kept[-1].setblocking(False)
    kept[-1].connect_ex((sys.argv[1], 80))
time.sleep(60)""", SILENT_V6)

    def waits():
        told = subprocess.check_output([hawser, "status", "--json", "--control", world.control])
        return sum(door["waiting"] for door in json.loads(told)["doors"])
    world.until(lambda: waits() >= waiting, "they do not wait")
    took_s = float(world.python("""
import socket, sys, time
began = time.monotonic()
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 40)
print(time.monotonic() - began)""", SERVER_V6, HTTP))
    assert took_s < 10, f"{took_s} s"  # or as long as the crowd waits
    crowd.kill()
    crowd.wait()
    world.end()
    return f"{took_s * 1000:.0f} ms beside {waiting} connects that nobody answers"


def only(hawser):
    """By the one that is named, whatever the server speaks; or by both."""
    world, size = World(hawser, found=True), 20 * MIB
    for port in (HTTP, PLAIN):
        for number in range(2):
            grown = carried_by(world, size, ("--uplink", f"wan{number}"), port)
            assert grown[number] > size and grown[1 - number] < 20000, (port, number, grown)
    grown = carried_by(world, size, ("--uplink", "wan0", "--uplink", "wan1"))
    assert min(grown) > 0.05 * size, grown
    world.end()
    return f"20 MiB by either, none by the other; {grown[0] // MIB} and {grown[1] // MIB} MiB by both"


def gone(hawser):
    """The uplink goes, and comes back: never does anything leave by the other one."""
    world = World(hawser, found=True)
    options = ("--uplink", "wan1")
    asks = world.popen(PYTHON, "-uc", CONNECTS, SERVER, options=options, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def connect(port):
        asks.stdin.write(f"{port}\n")
        asks.stdin.flush()
        return asks.stdout.readline().strip()
    holds = world.popen(PYTHON, "-c", HOLDS, SERVER, str(SLOW), options=options, stdout=subprocess.PIPE, text=True)
    assert holds.stdout.readline() == "connected\n"
    assert [connect(port) for port in (HTTP, PLAIN)] == ["0", "0"]
    before = world.carried()[0]
    run("ip link set wan1 down")
    assert holds.stdout.readline().strip() in ("ECONNRESET", "ETIMEDOUT")
    assert [connect(port) for port in (HTTP, PLAIN)] == ["ENETUNREACH", "ENETUNREACH"]
    assert world.carried()[0] - before < 20000, "it went by the other one"
    run("ip link set wan1 up; ip route add default via 192.168.1.2 metric 101")
    world.until(lambda: connect(HTTP) == "0", "it does not come back")
    assert connect(PLAIN) == "0"
    asks.stdin.close()
    assert asks.wait() == 0
    world.end()
    return "unreachable meanwhile"


def backups(hawser):
    """The service's; a program's own instead; and one that takes over."""
    world, size = World(hawser, "--backup", "wan0", found=True), 50 * MIB
    status = subprocess.run([hawser, "status", "--control", world.control], capture_output=True, text=True, check=True).stdout
    assert [line.count("a backup") for line in status.splitlines() if line.startswith("uplink")] == [1, 0, 1, 0], status
    for options, number in (((), 0), (("--backup", "wan1"), 1)):
        grown = carried_by(world, size, options)
        assert grown[number] < 0.02 * size < size < grown[1 - number], (options, grown)
    grown = carried_by(world, size, (), PLAIN)
    assert grown[0] < 20000, grown
    before = world.carried()
    curl = world.popen("curl", "-sS", "--limit-rate", "20M", "--max-time", "60", f"http://{SERVER}/{size}", stdout=subprocess.PIPE)
    curl.stdout.read(10 * MIB)
    run("ip link set wan1 down")
    while curl.stdout.read(1 << 20):
        pass
    assert curl.wait() == 0
    taken = world.carried()[0] - before[0]
    assert taken > 10 * MIB, taken
    world.end()
    return f"told so; {taken // MIB} of {size // MIB} MiB when the regular one went"


def allowed(hawser):
    """No others are uplinks."""
    world = World(hawser, "--allow", "wan1", found=True)
    grown = carried_by(world, 5 * MIB, ())
    assert grown[0] < 20000 and grown[1] > 5 * MIB, grown
    refused = subprocess.run(world.words("true", options=("--uplink", "wan0")), capture_output=True, text=True)
    assert refused.returncode == 1 and "\"wan0\" is no uplink: there are wan1\n" in refused.stderr, refused
    world.end()
    return f"{grown}"


def reloaded(hawser):
    """Uplinks are allowed, and made backups, while the service runs."""
    size, file = 20 * MIB, tempfile.NamedTemporaryFile("w+", suffix=".toml")

    def write(text):
        file.seek(0)
        file.truncate()
        file.write(f"[uplinks]\n{text}\n")
        file.flush()

    def there():
        told = subprocess.run([hawser, "status", "--json", "--control", world.control], capture_output=True, check=True).stdout
        return {uplink["uplink"]: uplink["backup"] for uplink in json.loads(told)["uplinks"]}

    def reload(text, expected):
        write(text)
        done = subprocess.run([hawser, "reload", "--control", world.control], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done
        world.until(lambda: there() == expected, f"{there()}, not {expected}")
    write('allow = ["wan1"]')
    world = World(hawser, "-c", file.name, found=True)
    assert there() == {"wan1": False}, there()
    reload('allow = ["wan0", "wan1"]\nbackup = ["wan1"]', {"wan0": False, "wan1": True})
    grown = carried_by(world, size, ())
    assert grown[1] < 0.02 * size < size < grown[0], grown
    reload('allow = ["wan0", "wan1"]', {"wan0": False, "wan1": False})
    grown = carried_by(world, size, ())
    assert min(grown) > 0.05 * size, grown
    reload('allow = ["wan0"]', {"wan0": False})
    reload("", {"wan0": False, "wan1": False})
    world.end()
    return "allowed, a backup, a regular one, not allowed, allowed"


def required(hawser):
    """Who does not agree to Multipath TCP is refused, and counted."""
    world = World(hawser)
    connect = "import errno, socket, sys; r = socket.socket().connect_ex((sys.argv[1], int(sys.argv[2]))); print(errno.errorcode.get(r, r))"
    for _ in range(2):
        assert world.python(connect, SERVER, PLAIN, options=("--require-mptcp",)) == "ECONNREFUSED"
        assert world.python(connect, SERVER, HTTP, options=("--require-mptcp",)) == "0"
    assert world.python(connect, SERVER, PLAIN) == "0"
    assert carried_by(world, MIB, ("--require-mptcp",))
    status = subprocess.run([hawser, "status", "--control", world.control], capture_output=True, text=True, check=True).stdout
    assert "2 refused for want of Multipath TCP" in status, status
    world.end()
    return "ECONNREFUSED; counted"


def required_in_vain(hawser):
    world = World(hawser, "--tcp")
    done = subprocess.run(world.words("true", options=("--require-mptcp",)), capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "plain TCP only" in done.stderr, done
    world.end()
    return done.stderr.strip()


def strange(hawser):
    """Names of what is no uplink: one line, which lists those that are."""
    world = World(hawser)
    for options in (("--uplink", "wan9"), ("--backup", "lo"), ("--uplink", "up0", "--uplink", "a name that no interface can have")):
        done = subprocess.run(world.words("true", options=options), capture_output=True, text=True)
        assert done.returncode == 1 and done.stderr.count("\n") == 1 and done.stderr.endswith("is no uplink: there are up0, up1\n"), done
    done = subprocess.run(world.words("true", options=("--uplink", "up0", "--backup", "up1")), capture_output=True, text=True)
    assert done.returncode == 1 and "up1 is a backup, and no uplink of this program" in done.stderr, done
    assert world.run("echo", "fine", options=("--uplink", "up1", "--backup", "up1")) == "fine\n"
    world.end()
    for words, part in ((("--backup", "up9"), "no --uplink has dev=up9"), (("--backup", "x" * 20), "cannot be the name of an interface"),
                        (("--allow", "wan0"), "--allow is for uplinks that are found")):
        done = subprocess.run([hawser, "up", "--control", "none", *World.UPLINKS, *words], capture_output=True, text=True, timeout=10)
        assert done.returncode == 2 and part in done.stderr, done
    return done.stderr.strip()


def call_open(world, port, family=4, protocol=MPTCP, uplink=0):
    with world.server.inside():
        sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_STREAM, protocol)
    sock.settimeout(PATIENCE_S)
    sock.connect((OUTSIDE[family].replace("0.1", f"{uplink}.1"), port))
    return sock


def call(world, port, size=1000, family=4, protocol=MPTCP, uplink=0):
    """Of a program that serves: whom it sees, when as many bytes have come as were sent."""
    with call_open(world, port, family, protocol, uplink) as sock:
        for piece in pieces(size):
            sock.sendall(piece)
        try:
            sock.shutdown(socket.SHUT_WR)
        except OSError as problem:  # ENOTCONN: the reset was faster
            raise ConnectionResetError(*problem.args) from problem
        peer, sha = sock.makefile().readline().split()
    assert sha == digest(size), "wrong bytes"
    return peer.removeprefix("::ffff:")


def serve(world, inside, *options, user=USER):
    server = world.popen(PYTHON, "-c", SERVES, str(inside), options=options, user=user, stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "listening\n"
    return server


def published(hawser):
    """A program's listeners see their clients' own addresses, over both uplinks."""
    world, size = World(hawser, found=True), 50 * MIB
    server = serve(world, 9001, "--publish", "8080:9001", "--publish", "9001")
    for family in (4, 6):
        before = world.carried()
        assert call(world, 8080, size, family) == CLIENT[family]
        grown = [now - then for now, then in zip(world.carried(), before)]
        assert min(grown) > 0.02 * size, (family, grown)
        assert call(world, 9001, 0, family, 0) == CLIENT[family]
    server.terminate()
    server.wait()

    def refused():
        try:
            call(world, 8080, 0, 4, 0)
        except ConnectionError:
            return True
        return False
    world.until(lambda: refused() and not world.pairs(), "it is published still")
    server = serve(world, 9001, "--publish", "8080:9001")  # the port is free again
    assert call(world, 8080) == CLIENT[4]
    server.terminate()
    world.end()
    return f"{CLIENT[4]} and {CLIENT[6]}; {[share // MIB for share in grown]} MiB by each"


def nobody_listens(hawser):
    world = World(hawser, found=True)
    idle = world.popen("sleep", "60", options=("--publish", "8080"))
    world.until(world.pairs, "it is not there")
    for protocol in (0, MPTCP):
        try:
            call(world, 8080, 0, 4, protocol)
            assert False, "an end, not a reset"
        except ConnectionError as error:
            said = error
    idle.kill()
    idle.wait()
    world.end()
    return str(said)


def published_by_uplink(hawser):
    """What comes in by another uplink is not for it, nor is it told of that."""
    world, size = World(hawser, found=True), 20 * MIB
    server = serve(world, 9001, "--publish", "8080:9001", "--uplink", "wan0")
    before = world.carried()
    assert call(world, 8080, size) == CLIENT[4]
    grown = [now - then for now, then in zip(world.carried(), before)]
    assert grown[1] < 20000, grown
    try:
        call(world, 8080, 0, uplink=1)
        assert False, "it was let in"
    except ConnectionError:
        pass
    server.terminate()
    world.end()
    return f"{grown}"


def taken(hawser):
    """Who may have which port."""
    world = World(hawser, "--allow-publish", "81", "--allow-publish", "7000-7001", found=True)
    world.serve(8081, echo, address="0.0.0.0", space=None)
    world.serve(7001, echo, address="0.0.0.0", space=None)
    first = serve(world, 9001, "--publish", "8080:9001")

    def say(*options, user=USER):
        done = subprocess.run(world.words("true", options=options, user=user), capture_output=True, text=True, timeout=20)
        assert done.returncode == 1 and done.stderr.count("\n") == 1, done
        return done.stderr
    assert f"port 8080 is published already, by a program of user {USER}" in say("--publish", "8080")
    assert "port 8080 is published already" in say("--publish", "8080", user=0)
    assert "port 8090 is published already" in say("--publish", "8090", "--publish", "8090:1")
    assert "a program of user 0 listens there" in say("--publish", "8081")
    assert "ports below 1024 are for root" in say("--publish", "80")
    for options, user in ((("--publish", "80:9001"), 0), (("--publish", "81:9001"), USER), (("--publish", "7001:9001"), USER)):
        server = serve(world, 9001, *options, user=user)
        assert call(world, int(options[1].split(":")[0])) == CLIENT[4]
        server.terminate()
        server.wait()
    listens, low = "import socket; socket.create_server(('', 80))", ("--publish", "8088:80")
    world.python(listens, options=low, user=0)
    world.until(lambda: len(world.pairs()) == 1, "its devices, and its port, stay")
    done = subprocess.run(world.words(PYTHON, "-c", listens, options=low), capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "Permission denied" in done.stderr, done
    ports = [word for port in range(6000, 6016) for word in ("--publish", str(port))]
    more = [word for port in range(6100, 6116) for word in ("--publish", str(port))]
    world.until(lambda: len(world.pairs()) == 1, "its devices stay")
    idle = world.popen("sleep", "60", options=ports)
    world.until(lambda: len(world.pairs()) == 2, "it is not there")
    assert "more than 32 ports" in say(*more)
    for process in (idle, first):
        process.terminate()
        process.wait()
    world.end()
    return "a line each"


def listed(hawser):
    """hawser ss says whose connections they are."""
    world = World(hawser)
    names = {"first": USER, "second": 0}
    for name, user in names.items():
        os.symlink(PYTHON, f"{world.room}/{name}")
        client = world.popen(f"{world.room}/{name}", "-c", f"""
import socket
s = socket.create_connection(("{SERVER}", {SLOW})); s.recv(1); print("there", flush=True); s.recv(1 << 30, socket.MSG_WAITALL)""",
                             user=user, stdout=subprocess.PIPE)
        assert client.stdout.readline() == b"there\n"
    ss = [hawser, "ss", "--control", world.control]
    found = json.loads(subprocess.check_output([*ss, "--json"]))
    assert {one["program"]: one["user"] for one in found} == names and all(one["door"] == "programs" for one in found), found
    lines = [line for line in subprocess.check_output(ss, text=True).splitlines() if not line.startswith(" ")]
    assert len(lines) == 2 and f"  first of user {USER}  " in lines[0] and "  second of user 0  " in lines[1], lines
    world.end()
    return lines[0]


def published_listed(hawser):
    """Who came is the client, by which port and to whose program; and whose which ports are."""
    world = World(hawser, found=True)
    server = serve(world, 9001, "--publish", "8080:9001")
    idle = world.popen("sleep", "60", options=("--publish", "8081"), user=0)
    world.until(lambda: len(world.pairs()) == 2, "it is not there")
    with call_open(world, 8080) as sock:
        client = "%s:%d" % sock.getsockname()
        one, = json.loads(subprocess.check_output([hawser, "ss", "--json", "--control", world.control]))
        line = subprocess.check_output([hawser, "ss", "--control", world.control], text=True).splitlines()[0]
        status = json.loads(subprocess.check_output([hawser, "status", "--json", "--control", world.control]))["published"]
        said = subprocess.check_output([hawser, "status", "--control", world.control], text=True)
    assert (one["client"], one["door"], one["program"], one["user"]) == (client, "published 8080", "python3", USER), one
    assert one["destination"].startswith("198.19.") and one["destination"].endswith(":9001"), one
    assert one["mptcp"] and {path["remote"].split(":")[0] for path in one["subflows"]} <= {CLIENT[4], "192.168.1.2"}, one
    assert line.startswith(f"{client} -> {one['destination']}  published 8080, python3 of user {USER}  "), line
    counts = {"accepted": 0, "waiting": 0, "refused": 0, "turned_away": 0}
    assert status == [{"port": 8080, "program": "python3", "user": USER, **counts, "accepted": 1},
                      {"port": 8081, "program": "sleep", "user": 0, **counts}], status
    assert f"published    8080: 1 accepted, 0 wait; 0 refused, 0 turned away; by python3 of user {USER}\n" in said, said
    for process in (server, idle):
        process.kill()
        process.wait()
    world.until(lambda: not world.pairs(), "its devices stay")
    said = subprocess.check_output([hawser, "status", "--control", world.control], text=True)
    assert "published" not in said, said
    world.end()
    return line


def without_quic(hawser):
    """UDP to port 443, of IPv6 as of IPv4, and nothing else."""
    world = World(hawser, found=True)
    addresses = {SERVER: socket.AF_INET, SERVER_V6: socket.AF_INET6}
    for address in addresses:
        for port in (ECHO, QUIC):
            world.serve_datagrams(port, lambda data: data[::-1], address)
    ask = """
import errno, socket, sys
s = socket.socket(int(sys.argv[1]), socket.SOCK_DGRAM); s.settimeout(5)
try:
    s.connect((sys.argv[2], int(sys.argv[3]))); s.send(b"abc"); print(s.recv(100).decode())
except OSError as error:
    print(errno.errorcode.get(error.errno, error))"""
    for address, family in addresses.items():
        said = [world.python(ask, int(family), address, port, options=options) for port, options in ((QUIC, ()), (QUIC, ("--no-quic",)), (ECHO, ("--no-quic",)))]
        assert said == ["cba", "ENETUNREACH", "cba"], (address, said)
    world.end()
    return "refused by IPv4 and IPv6; other ports answer"


def stand_in():
    """A directory with a control socket that everybody reaches, and its listener."""
    room = tempfile.mkdtemp(prefix="hawser-programs-")
    os.chmod(room, 0o755)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"{room}/control")
    os.chmod(f"{room}/control", 0o666)
    listener.listen()
    return room, listener


def in_its_turn(hawser):
    """A door may take longer than a service that stands still is given, as long as others are answered."""
    room, listener = stand_in()
    listener.settimeout(PATIENCE_S)
    began_s = time.monotonic()
    program = subprocess.Popen([hawser, "run", "--control", f"{room}/control", "true"], stderr=subprocess.PIPE, text=True)
    with listener.accept()[0] as door:
        door.recv(1 << 16)
        with listener.accept()[0] as other:
            assert time.monotonic() - began_s > 14 and b'"status"' in other.recv(1 << 16), "it is asked for too early"
            other.send(b'{"hawser": 1, "ok": true}')
        time.sleep(1)
        door.send(b'{"hawser": 1, "ok": false, "error": "no more of these"}')
        assert program.communicate(timeout=PATIENCE_S)[1] == "hawser run: no more of these\n"
    listener.close()
    shutil.rmtree(room)
    return f"{time.monotonic() - began_s:.0f} s"


def in_vain(hawser):
    """A user's doors that cannot be: nobody else waits for all of them, and none is made for what is in use already."""
    world = World(hawser)

    def ask(count, device):
        space, peers = Space(), [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(count)]
        run(f"ip link add {device} type veth peer name other", *space.enter)
        for peer in peers:
            peer.connect(world.control)
            socket.send_fds(peer, [b'{"hawser": 1, "do": "door"}'], [space.handle])
        return peers

    def index():
        run("ip link add probe0 type veth peer name probe1")
        number = socket.if_nametoindex("probe0")
        run("ip link del probe0")
        return number
    world.run("true")
    before = index()
    assert all(b"already" in peer.recv(1 << 16) for peer in ask(5, "eth0"))
    assert index() - before == 2, "devices are made, and taken back, which takes the kernel long"
    waiting = ask(100, "door0")
    world.run("true")
    answered = len(select.select(waiting, [], [], 0)[0])
    assert answered < 50, "a program of another user waits for all of them"
    world.end()
    return f"after {answered} of {len(waiting)}"


def falls_back(hawser):
    """Whatever fails after the service was reached, the program runs where its caller is, or not at all."""
    (room, listener), answers = stand_in(), []

    def serve():
        while True:
            with listener.accept()[0] as peer:
                if (answer := answers[0]) and peer.recv(1 << 16):
                    peer.send(answer)
    threading.Thread(target=serve, daemon=True).start()
    program = ["sh", "-c", "readlink /proc/self/ns/net; readlink /proc/self/ns/user; id -u"]
    own = [os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "user")]

    def start(user, *options):
        drop = ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups"]
        done = subprocess.run([*drop, hawser, "run", "--control", f"{room}/control", *options, *program], capture_output=True, text=True, timeout=PATIENCE_S)
        return done.returncode, done.stdout.split(), done.stderr
    for answer, part in ((b'{"hawser": 1, "ok": false, "error": "no more of these"}', "no more of these"), (None, "ended before it answered"),
                         (b'{"hawser": 1, "ok": true}', "makes no sense")):
        answers[:] = [answer]
        for user in (0, USER):
            assert (done := start(user, "--fallback")) == (0, [*own, str(user)], ""), (part, done)
            code, out, error = start(user)
            assert (code, out, error.count("\n")) == (1, [], 1) and error.startswith("hawser run: ") and part in error, (part, error)
    shutil.rmtree(room)
    return "in the caller's network, or one line"


def cannot_join(hawser):
    """The network that nobody moves into is taken back, while who was to has become the program without it."""
    private_files({"/etc/resolv.conf": "nameserver 127.0.0.53\n"})
    world = World(hawser)
    plain = world.popen("sleep", "60", options=("--fallback",), user=0, preexec_fn=lambda: seccomp.refuse(seccomp.SETNS, errno.EPERM))
    world.until(world.pairs, "no network was made")
    world.until(lambda: not world.pairs(), "it stays", 5)
    assert plain.poll() is None and os.readlink(f"/proc/{plain.pid}/ns/net") == os.readlink("/proc/self/ns/net")
    plain.kill()
    plain.wait()
    kept = world.popen(PYTHON, "-c", "import socket, time; time.sleep(3); print(socket.gethostbyname('server.example'))", stdout=subprocess.PIPE, text=True)
    world.resolver()
    assert kept.communicate()[0].strip() == SERVER, "a program lost its own"
    world.end()
    return "taken back at once; of who joins it stays"


def cases(hawser):
    bind = functools.partial
    yield "without QUIC", bind(without_quic, hawser)
    yield "a service that is busy", bind(in_its_turn, hawser)
    yield "doors in vain", bind(in_vain, hawser)
    yield "a service that refuses, --fallback", bind(falls_back, hawser)
    yield "a program that cannot join, --fallback", bind(cannot_join, hawser)
    yield "listed by name", bind(listed, hawser)
    yield "one program's crowd, IPv6", bind(crowd_of_one, hawser)
    yield "by one uplink only", bind(only, hawser)
    yield "an uplink that goes and comes back", bind(gone, hawser)
    yield "backups", bind(backups, hawser)
    yield "uplinks that are allowed", bind(allowed, hawser)
    yield "uplinks change their roles", bind(reloaded, hawser)
    yield "Multipath TCP required", bind(required, hawser)
    yield "Multipath TCP required, of a service without it", bind(required_in_vain, hawser)
    yield "uplinks that are none", bind(strange, hawser)
    yield "published", bind(published, hawser)
    yield "published, and nobody listens", bind(nobody_listens, hawser)
    yield "published by one uplink", bind(published_by_uplink, hawser)
    yield "published: listed", bind(published_listed, hawser)
    yield "published: who may", bind(taken, hawser)
