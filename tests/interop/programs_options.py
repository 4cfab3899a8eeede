"""`hawser run` with a word about its connections, for interop/programs; and the roles that a service gives to uplinks."""
import functools
import subprocess

from programs_world import *

CONNECTS = """
import errno, socket, sys
kept = []
for line in sys.stdin:
    s = socket.socket()
    s.settimeout(15)
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


def carried_by(world, size, options, port=HTTP):
    """Bytes by each uplink of a download."""
    before = world.carried()
    curl = world.popen("curl", "-sS", "--max-time", "60", f"http://{SERVER}:{port}/{size}", options=options, stdout=subprocess.PIPE)
    sha = hashlib.sha256()
    while piece := curl.stdout.read(1 << 20):
        sha.update(piece)
    assert sha.hexdigest() == digest(size) and curl.wait() == 0, "wrong bytes"
    return [now - then for now, then in zip(world.carried(), before)]


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


def cases(hawser):
    bind = functools.partial
    yield "by one uplink only", bind(only, hawser)
    yield "an uplink that goes and comes back", bind(gone, hawser)
    yield "backups", bind(backups, hawser)
    yield "uplinks that are allowed", bind(allowed, hawser)
    yield "uplinks change their roles", bind(reloaded, hawser)
    yield "Multipath TCP required", bind(required, hawser)
    yield "Multipath TCP required, of a service without it", bind(required_in_vain, hawser)
    yield "uplinks that are none", bind(strange, hawser)
