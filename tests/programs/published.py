"""nginx and sshd as everybody has them, published by `hawser up --publish`; clients are kernel Multipath TCP, by mptcpize."""
import re

from servers import *

HOST, CLIENT = "192.168.0.1", "192.168.0.2"  # each other's neighbours by the first uplink
REQUESTS = 5000


def published(port):
    """Clients join by the second uplink as well."""
    world = Servers("--publish", str(port), way_in=port, spoken=CALLED)
    run("ip mptcp endpoint add 192.168.1.2 dev wan1 subflow", *world.server.enter)
    return world


def ask(world, *words):
    done = subprocess.run([*world.server.enter, "mptcpize", "run", *words], capture_output=True, timeout=programs_world.PATIENCE_S)
    assert done.returncode == 0, f"{words[0]}: {done.returncode}: {done.stderr.decode()}"
    return done.stdout


def opened(world):
    """Connections for which the clients' kernel asked for Multipath TCP, and those that have it."""
    counted = world.counted()
    return counted["MPTcpExtMPCapableSYNTX"], counted["MPTcpExtMPCapableSYNACKRX"]


def nginx():
    world, size = published(8000), 50 * MIB
    world.nginx("0.0.0.0", space=Host, wrapped=False)
    world.file("file", size)
    world.file("small", 10000)
    before = world.carried("tx")
    assert hashlib.sha256(ask(world, "curl", "-sS", f"http://{HOST}:8000/file")).hexdigest() == digest(size), "wrong bytes"
    shares = world.both(before, way="tx")
    said = ask(world, "ab", "-q", "-n", str(REQUESTS), "-c", "50", f"http://{HOST}:8000/small").decode()
    assert f"Complete requests:      {REQUESTS}\n" in said and "Failed requests:        0\n" in said and "Non-2xx" not in said, said
    by_ab = re.search(r"Requests per second: *([0-9.]+)", said)[1]
    said = ask(world, "wrk", "-t2", "-c100", "-d4s", "--timeout", "10s", f"http://{HOST}:8000/small").decode()
    assert "Socket errors" not in said and "Non-2xx" not in said, said
    by_wrk = re.search(r"Requests/sec: *([0-9.]+)", said)[1]
    assert set(world.seen()) == {CLIENT} and len(world.seen()) > REQUESTS, set(world.seen())
    asked, mptcp = opened(world)
    assert mptcp == asked > REQUESTS, (asked, mptcp)
    world.end()
    return f"curl, {shares}; ab {by_ab} and wrk {by_wrk} requests a second, {mptcp} connections of Multipath TCP; nginx saw {CLIENT} only"


def sshd():
    world, size = published(2222), 20 * MIB
    options = world.sshd("0.0.0.0", space=Host, wrapped=False)
    world.file("file", size)
    to = ["ssh", *options, "-p", "2222", f"root@{HOST}"]
    seen = ask(world, *to, "echo $SSH_CONNECTION").decode().split()
    assert [seen[0], *seen[2:]] == [CLIENT, HOST, "2222"], seen
    pipe = subprocess.Popen([*world.server.enter, "mptcpize", "run", *to, "sha256sum; exit 9"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for piece in pieces(size):
        pipe.stdin.write(piece)
    pipe.stdin.close()
    assert pipe.stdout.read().split()[0].decode() == digest(size) and pipe.wait() == 9
    before = world.carried("tx")
    ask(world, "scp", "-q", *options, "-P", "2222", f"root@{HOST}:{world.room}/www/file", f"{world.home}/copy")
    shares = world.both(before, way="tx")
    with open(f"{world.home}/copy", "rb") as file:
        assert sha_of(file) == digest(size)
    asked, mptcp = opened(world)
    assert mptcp == asked > 0, (asked, mptcp)
    world.end()
    return f"ssh with a pipe and its end, scp, {shares}: equal; it saw {seen[0]}"


def cases():
    yield "published: nginx, for curl, ab and wrk", nginx
    yield "published: sshd, for ssh and scp", sshd
