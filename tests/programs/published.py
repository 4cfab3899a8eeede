"""nginx and sshd as everybody has them, published by `hawser up --publish` or `hawser run --publish`; clients are kernel Multipath TCP, by mptcpize."""
import contextlib
import functools
import re

from servers import *

HOST, CLIENT = "192.168.0.1", "192.168.0.2"  # each other's neighbours by the first uplink
REQUESTS = 5000


def published(port, *words):
    """Clients join by the second uplink as well."""
    world = Servers(*words, way_in=port, spoken=CALLED)
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
    world, size = published(8000, "--publish", "8000"), 50 * MIB
    world.nginx("0.0.0.0", space=Host, wrapped=False)
    world.file("file", size)
    world.file("small", 10000)
    before = world.carried("tx")
    assert hashlib.sha256(ask(world, "curl", "-sS", f"http://{HOST}:8000/file")).hexdigest() == digest(size), "wrong bytes"
    shares = world.both(before, way="tx")
    said = ask(world, "ab", "-q", "-n", str(REQUESTS), "-c", "50", f"http://{HOST}:8000/small").decode()
    assert f"Complete requests:      {REQUESTS}\n" in said and "Failed requests:        0\n" in said and "Non-2xx" not in said, said
    by_ab = re.search(r"Requests per second: *([0-9.]+)", said)[1]
    by_wrk = world.wrk(lambda *words: ask(world, *words).decode(), 100, f"http://{HOST}:8000", "small")
    assert set(world.seen()) == {CLIENT} and len(world.seen()) > REQUESTS, set(world.seen())
    asked, mptcp = opened(world)
    assert mptcp == asked > REQUESTS, (asked, mptcp)
    world.end()
    return f"curl, {shares}; ab {by_ab} and wrk {by_wrk} requests a second, {mptcp} connections of Multipath TCP; nginx saw {CLIENT} only"


def sshd():
    world, size = published(2222, "--publish", "2222"), 20 * MIB
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


def begin(world, outside, inside, words, user=0):
    """A server in `hawser run`, when it answers: who comes earlier is reset."""
    said = f"{world.room}/server"
    with open(said, "w") as errors:
        server = world.popen(*words, options=("--publish", f"{outside}:{inside}"), user=user, stdout=subprocess.DEVNULL, stderr=errors)

    def answers():
        assert server.poll() is None, open(said).read()
        with world.server.inside():
            sock = socket.socket()
        sock.settimeout(1)
        with sock, contextlib.suppress(OSError):
            sock.connect((HOST, outside))
            sock.sendall(b"?\r\n\r\n")
            return sock.recv(1) != b""
        return False
    world.until(answers, f"{words} does not answer")
    return said


def nginx_in_run(user, inside):
    world, size = published(8080), 50 * MIB
    words = world.nginx_words("0.0.0.0", inside)
    world.file("file", size)
    run(f"cd {world.room}; mkdir t1 t2 t3 t4 t5; touch nginx.pid nginx.log who; chown {user} t? nginx.pid nginx.log who key")
    begin(world, 8080, inside, words, user)
    before = world.carried("tx")
    assert hashlib.sha256(ask(world, "curl", "-sS", f"http://{HOST}:8080/file")).hexdigest() == digest(size), "wrong bytes"
    shares = world.both(before, way="tx")
    assert set(world.seen()) == {CLIENT}, world.seen()
    asked, mptcp = opened(world)
    assert mptcp == asked == 1, (asked, mptcp)
    world.end()
    return f"curl, {shares}; nginx saw {CLIENT} only"


def sshd_in_run():
    world, size = published(2200), 20 * MIB
    words, options = world.sshd_words("0.0.0.0")
    world.file("file", size)
    log = begin(world, 2200, 2222, words)
    to = ["ssh", *options, "-p", "2200", f"root@{HOST}"]
    seen = ask(world, *to, "echo $SSH_CONNECTION").decode().split()
    assert seen[0] == CLIENT and seen[3] == "2222", seen
    before = world.carried("tx")
    ask(world, "scp", "-q", *options, "-P", "2200", f"root@{HOST}:{world.room}/www/file", f"{world.home}/copy")
    shares = world.both(before, way="tx")
    with open(f"{world.home}/copy", "rb") as file:
        assert sha_of(file) == digest(size)
    with open(log) as file:
        told = re.findall(r"^Accepted publickey for root from (\S+) port", file.read(), re.M)
    assert told == [CLIENT] * 2, told
    asked, mptcp = opened(world)
    assert mptcp == asked == 2, (asked, mptcp)
    world.end()
    return f"ssh, scp, {shares}: equal; its log names {told[0]}"


def cases():
    yield "published: nginx, for curl, ab and wrk", nginx
    yield "published: sshd, for ssh and scp", sshd
    yield "published by hawser run: nginx, port 80", functools.partial(nginx_in_run, 0, 80)
    yield "published by hawser run: nginx of an ordinary user", functools.partial(nginx_in_run, USER, 8000)
    yield "published by hawser run: sshd", sshd_in_run
