"""The world of tests/programs: a host with `hawser up` and two uplinks that it found, and servers that are real programs."""
import contextlib
import os
import re
import subprocess
import sys

import programs_world
from programs_world import *

programs_world.PATIENCE_S = 120
HAWSER = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""
RATE_MBIT = 200
FULL_MBIT = 60  # which a busy machine fills, too
# What the kernel beyond the uplinks counts of Multipath TCP: connections and further subflows, of which it is the server, or the client.
SERVED, CALLED = ("MPTcpExtMPCapableACKRX", "MPTcpExtMPJoinAckRx"), ("MPTcpExtMPCapableSYNACKRX", "MPTcpExtMPJoinSynAckRx")
RATE = "tc qdisc add dev wan{i} root tbf rate {rate}mbit burst 64k latency 20ms"
NGINX = """
pid {room}/nginx.pid; error_log {room}/nginx.log; user root;
events {{ worker_connections 4096; }}
http {{
    log_format who $remote_addr; access_log {room}/who who;
    client_body_temp_path {room}/t1; proxy_temp_path {room}/t2; fastcgi_temp_path {room}/t3; uwsgi_temp_path {room}/t4;
    scgi_temp_path {room}/t5; default_type text/html; client_max_body_size 1g;
    server {{
        listen {address}:{port}; listen {address}:8443 ssl http2; ssl_certificate {room}/cert; ssl_certificate_key {room}/key;
        root {room}/www; dav_methods PUT;
        location /name/ {{ return 200 "$uri\\n"; }}
    }}
}}
"""
# For wrk: each body is compared.
EACH_BODY = """
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(words)
    expected, equal, others = io.open(words[1], "rb"):read("*a"), 0, 0
end
function response(status, headers, body)
    if status == 200 and body == expected then equal = equal + 1 else others = others + 1 end
end
function done()
    local sums = {equal = 0, others = 0}
    for _, thread in ipairs(threads) do
        for what in pairs(sums) do sums[what] = sums[what] + thread:get(what) end
    end
    print(sums.equal .. " bodies equal, " .. sums.others .. " others")
end
"""
SSHD = """
ListenAddress {address}:2222
HostKey {room}/host_key
AuthorizedKeysFile {room}/client_key.pub
StrictModes no
UsePAM no
PidFile none
Subsystem sftp internal-sftp
"""


class Host:
    """Where the service runs, as a Space is elsewhere."""
    enter, inside = [], contextlib.nullcontext


class Servers(World):
    def __init__(self, *words, rate_mbit=RATE_MBIT, way_in="programs", spoken=SERVED):
        """`way_in`: the door or the port by which clients come to Hawser."""
        super().__init__(HAWSER, *words, found=True)
        self.way_in, self.spoken = way_in, spoken
        for i in (0, 1):
            run(RATE.format(i=i, rate=rate_mbit))
            run(RATE.format(i=i, rate=rate_mbit), *self.server.enter)
        self.home = f"{self.room}/home"
        os.makedirs(f"{self.room}/www")
        os.mkdir(self.home)
        os.chown(self.home, USER, USER)

    def file(self, name, size):
        with open(f"{self.room}/www/{name}", "wb") as file:
            for piece in pieces(size):
                file.write(piece)

    def begin(self, port, *words, space=None, address=SERVER, wrapped=True, **rest):
        """A server, when it listens."""
        space = space or self.server
        words = [*space.enter, *(["mptcpize", "run"] if wrapped else []), *words]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=open(f"{self.room}/server", "w"), **rest)

        def listens():
            assert process.poll() is None, open(f"{self.room}/server").read()
            with space.inside(), socket.socket() as sock:
                return sock.connect_ex((address, port)) == 0
        self.until(listens, f"{words} does not listen")
        return process

    def nginx_words(self, address=SERVER, port=8000):
        """All that it needs is there then."""
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{self.room}/key", "-out", f"{self.room}/cert", "-days", "1",
                        "-subj", "/CN=server", "-addext", f"subjectAltName=IP:{address}"], check=True, capture_output=True)
        with open(f"{self.room}/conf", "w") as file:
            file.write(NGINX.format(room=self.room, address=address, port=port))
        return ["nginx", "-g", "daemon off;", "-c", f"{self.room}/conf"]

    def nginx(self, address=SERVER, **rest):
        self.begin(8000, *self.nginx_words(address), address=address, **rest)

    def wrk(self, run, connections, url, name):
        """`run` is who runs it; the file has that name. Returns how many requests a second."""
        with open(f"{self.room}/each_body.lua", "w") as file:
            file.write(EACH_BODY)
        said = run("wrk", "-t2", f"-c{connections}", "-d4s", "--timeout", "10s", "-s", f"{self.room}/each_body.lua", f"{url}/{name}", "--",
                   f"{self.room}/www/{name}")
        assert "Socket errors" not in said and "Non-2xx" not in said, said
        equal, others = map(int, re.search(r"(\d+) bodies equal, (\d+) others", said).groups())
        assert equal > connections and others == 0, said
        return re.search(r"Requests/sec: *([0-9.]+)", said)[1]

    def sshd_words(self, address=SERVER):
        """All that it needs is there then; and what its clients are to be told."""
        for key in ("host_key", "client_key"):
            subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", f"{self.room}/{key}"], check=True)
        os.chown(f"{self.room}/client_key", USER, USER)
        with open(f"{self.room}/sshd", "w") as file:
            file.write(SSHD.format(room=self.room, address=address))
        os.makedirs("/run/sshd", exist_ok=True)
        return ["/usr/sbin/sshd", "-D", "-e", "-f", f"{self.room}/sshd"], ["-i", f"{self.room}/client_key", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]

    def sshd(self, address=SERVER, **rest):
        """Returns what its clients are to be told."""
        words, told = self.sshd_words(address)
        self.begin(2222, *words, address=address, **rest)
        return told

    def seen(self):
        """Whom nginx saw, once a request."""
        with open(f"{self.room}/who") as log:
            return log.read().split()

    def both(self, before, part=0.1, way="rx"):
        """Each uplink has carried a part of what came since then, or left."""
        grown = [now - then for now, then in zip(self.carried(way), before)]
        assert min(grown) > part * sum(grown), grown
        return "{:.0f} and {:.0f} % by each".format(*(100 * g / sum(grown) for g in grown))

    def counted(self):
        said = subprocess.check_output([*self.server.enter, "nstat", "-aszj", "MPTcpExt*"])
        return json.loads(said)["kernel"]

    def came_in(self):
        """How many connections Hawser has accepted there."""
        status = json.loads(subprocess.check_output([HAWSER, "status", "--json", "--control", self.control]))
        ways = {way.get("door", way.get("port")): way["accepted"] for kind in ("doors", "ports", "published") for way in status[kind]}
        return ways[self.way_in]

    def end(self):
        """And clients came by Hawser, which spoke Multipath TCP for them, over more than one path."""
        assert (came := self.came_in()) > 0, f"nobody came in by {self.way_in}"
        counted = self.counted()
        assert all(counted[what] > 0 for what in self.spoken), f"{came} came in by {self.way_in}, and of {self.spoken} the kernel counts {counted}"
        return super().end()


def sha_of(stream):
    """Of all that comes."""
    sha = hashlib.sha256()
    while piece := stream.read(1 << 20):
        sha.update(piece)
    return sha.hexdigest()
