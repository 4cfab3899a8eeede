"""What fails, fails in `hawser run` as it does outside, in the programs' own words."""
import re

from servers import *

UNREACHABLE = """
    ip -6 route add throw 2001:db8:8::2; ip -6 route add unreachable 2001:db8:8::3; ip -6 route add prohibit 2001:db8:8::4
"""
CONNECT = """
import errno, socket, sys
for address in sys.argv[1:]:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as s:
        print(address, errno.errorcode[s.connect_ex((address, 81))])
"""
TIMES = re.compile(r"after \d+ ms|\d+ out of \d+ bytes")
SHORT = 10000


def ends(words):
    """The status, and what is said of it but for the time that it took."""
    done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=programs_world.PATIENCE_S)
    return done.returncode, TIMES.sub("", done.stderr)


def in_their_words():
    world = Servers(spoken=SERVED[:1])  # they are over before there is another path
    run(UNREACHABLE, *world.server.enter)
    nobody, found = (f"10.8.0.{i}" for i in (2, 3, 4)), []
    commands = [["curl", "-sS", f"http://{address}:81/"] for address in (SERVER, *nobody, f"[{SERVER_V6}]")]
    commands += [["curl", "-sS", "--http0.9", f"http://{SERVER}:{RESETS}/"]]
    commands += [["ssh", "-o", "BatchMode=yes", "-p", "81", f"root@{address}"] for address in (SERVER, "10.8.0.2", "10.8.0.3", "10.8.0.4")]
    commands += [["git", "ls-remote", f"git://{SERVER}:81/"], ["rsync", f"rsync://{SERVER}:81/"]]
    for command in commands:
        outside, inside = ends(command), ends(world.words(*command))
        assert outside[0] != 0 and inside == outside, f"{command}: {inside}, and outside {outside}"
        found.append(outside[1].strip().splitlines()[0])
    addresses = [SERVER, *(f"10.8.0.{i}" for i in (2, 3, 4)), SERVER_V6, *(f"2001:db8:8::{i}" for i in (2, 3, 4))]
    outside = subprocess.run([PYTHON, "-c", CONNECT, *addresses], capture_output=True, text=True, check=True).stdout
    assert (inside := world.run(PYTHON, "-c", CONNECT, *addresses)) == outside, f"{inside}, and outside {outside}"
    world.end()
    return f"{len(commands)} commands, {len(set(found))} kinds of complaints; {', '.join(sorted(set(outside.split()[1::2])))}"


def upload():
    world, size = Servers(), 50 * MIB
    world.nginx()
    world.file("file", size)
    before = world.carried("tx")
    world.run("curl", "-sS", "--fail", "-T", f"{world.room}/www/file", f"http://{SERVER}:8000/copy")
    with open(f"{world.room}/www/copy", "rb") as file:
        assert sha_of(file) == digest(size), "other bytes arrived"
    shares = world.both(before, way="tx")
    world.end()
    return f"equal, {shares}"


def short():
    world = Servers(spoken=SERVED[:1])  # they are over before there is another path
    world.nginx()
    world.file("small", 100)
    said = world.run("ab", "-q", "-n", str(SHORT), "-c", "20", f"http://{SERVER}:8000/small")
    assert f"Complete requests:      {SHORT}\n" in said and "Failed requests:        0\n" in said and "Non-2xx" not in said, said
    names = world.run("curl", "-sSfZ", "--http1.1", "--parallel-immediate", "--parallel-max", "20", "-H", "Connection: close",
                      f"http://{SERVER}:8000/name/[1-{SHORT}]")
    assert sorted(names.split()) == sorted(f"/name/{i}" for i in range(1, SHORT + 1)), "not each has its own"
    so_far, reset = map(int, re.search(r"(\d+) so far, (\d+) of them reset", told := world.end()).groups())
    assert so_far >= 2 * SHORT and reset == 0, told
    return re.search(r"Requests per second: *([0-9.]+)", said)[1] + " a second; of as many by curl each hears its own name"


def cases():
    yield "failures, in the programs' own words", in_their_words
    yield "curl, upload", upload
    yield "ab and curl, 10,000 short connections", short
