"""Programs without `hawser run`: by SOCKS, by an upstream, from behind a router."""
import importlib.machinery
import importlib.util

import browser
from servers import *

LOADER = importlib.machinery.SourceFileLoader("ways_out", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../interop/ways_out"))
ways_out = importlib.util.module_from_spec(importlib.util.spec_from_loader("ways_out", LOADER))
LOADER.exec_module(ways_out)
SOCKS = "127.0.0.1:1080"
BEYOND, GATEWAY, UPSTREAM = "10.20.0.2", "10.20.0.1", f"{SERVER}:8444"
DMZ = """
    ip link add dmz type veth peer name eth0 netns {beyond}
    ip addr add 10.20.0.1/24 dev dmz; ip link set dmz up
"""
DMZ_HOST = """
    ip link set lo up; ip addr add 10.20.0.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.20.0.1
"""


def as_user(world, *words, enter=(), **rest):
    """An ordinary program of an ordinary user."""
    words = [*enter, "setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups", *words]
    return subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ, "HOME": world.home}, **rest)


def fetch(world, size, *words, **rest):
    client = as_user(world, "curl", "-sS", *words, **rest)
    assert sha_of(client.stdout) == digest(size) and client.wait() == 0, "wrong bytes"


def socks_curl():
    world, size = Servers("--socks", SOCKS, way_in=SOCKS), 50 * MIB
    world.nginx()
    world.file("file", size)
    before = world.carried()
    fetch(world, size, "--socks5", SOCKS, f"http://{SERVER}:8000/file")
    shares = world.both(before)
    fetch(world, size, "--socks5-hostname", SOCKS, "--cacert", f"{world.room}/cert", f"https://{SERVER}:8443/file")
    assert "2 accepted" in (said := world.end()), said
    return shares


def socks_chromium():
    world = Servers("--socks", SOCKS, way_in=SOCKS)
    world.nginx()
    page = browser.Page(world, f"--proxy-server=socks5://{SOCKS}")
    client = as_user(world, *page.words, stderr=subprocess.DEVNULL)  # it always complains
    page.compare(client.stdout.read().decode())
    assert set(world.seen()) == {"192.168.0.1"}, set(world.seen())
    world.end()
    return str(page)


class Beyond(Servers):
    """An upstream beyond both uplinks, and behind it a host that speaks TCP alone."""

    def __init__(self):
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            file.write(os.urandom(32).hex())
        super().__init__("--upstream", UPSTREAM, "--key", file.name, rate_mbit=FULL_MBIT)
        self.beyond, self.key = Space(), file.name
        run(DMZ.format(beyond=self.beyond.pid), *self.server.enter)
        run(DMZ_HOST, *self.beyond.enter)
        self.upstream = subprocess.Popen([*self.server.enter, HAWSER, "up", "-v", "--control", "none", "--serve-upstream", UPSTREAM, "--key", self.key],
                                         stderr=subprocess.PIPE, text=True)
        assert ": ready" in (line := self.upstream.stderr.readline()), line

    def end(self):
        super().end()
        self.upstream.terminate()
        said = self.upstream.communicate(timeout=10)[1]
        os.unlink(self.key)
        assert self.upstream.returncode == 0, said
        return said


def upstream():
    world, size = Beyond(), 50 * MIB
    world.nginx(BEYOND, space=world.beyond, wrapped=False)
    world.file("file", size)
    before = world.carried()
    client = world.popen("curl", "-sS", f"http://{BEYOND}:8000/file", stdout=subprocess.PIPE)
    assert sha_of(client.stdout) == digest(size) and client.wait() == 0, "wrong bytes"
    shares = world.both(before, part=0.25)
    assert world.seen() == [GATEWAY], world.seen()
    assert f"port {UPSTREAM}: 1 accepted" in (said := world.end()), said
    return f"a server of plain TCP: {shares}; it sees {GATEWAY}"


class Router(Servers):
    """A network behind this host, where nobody has heard of Hawser."""

    def start(self, *words):
        self.client = Space()
        run(ways_out.NEAR.format(client=self.client.pid))
        run(ways_out.CLIENT, *self.client.enter)
        super().start("--door", "tun,dev=door0", *words)
        run(ways_out.DOOR)


def door():
    world, size = Router(way_in="tun,dev=door0"), 50 * MIB
    world.nginx()
    world.file("file", size)
    options = world.sshd()
    before = world.carried()
    fetch(world, size, f"http://{SERVER}:8000/file", enter=world.client.enter)
    shares = world.both(before)
    shell = as_user(world, "ssh", *options, "-p", "2222", f"root@{SERVER}", "echo from afar; exit 9", enter=world.client.enter)
    assert shell.stdout.read() == b"from afar\n" and shell.wait() == 9
    world.end()
    return f"curl, {shares}; ssh"


def cases():
    yield "SOCKS: curl", socks_curl
    yield "SOCKS: chromium", socks_chromium
    yield "upstream: curl", upstream
    yield "a network's door: curl, ssh", door
