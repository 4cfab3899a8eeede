"""The world of tests/programs: a host with `hawser up` and two uplinks that it found, and servers that are real programs."""
import contextlib
import os
import subprocess
import sys

import programs_world
from programs_world import *

programs_world.PATIENCE_S = 120
HAWSER = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""
RATE_MBIT = 200
RATE = "tc qdisc add dev wan{i} root tbf rate {rate}mbit burst 64k latency 20ms"
NGINX = """
daemon off; pid {room}/nginx.pid; error_log {room}/nginx.log; user root;
events {{ worker_connections 4096; }}
http {{
    log_format who $remote_addr; access_log {room}/who who;
    client_body_temp_path {room}/t1; proxy_temp_path {room}/t2; fastcgi_temp_path {room}/t3; uwsgi_temp_path {room}/t4;
    scgi_temp_path {room}/t5; default_type text/html; client_max_body_size 1g;
    server {{
        listen {address}:8000; listen {address}:8443 ssl http2; ssl_certificate {room}/cert; ssl_certificate_key {room}/key;
        root {room}/www; dav_methods PUT;
    }}
}}
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
    def __init__(self, *words, rate_mbit=RATE_MBIT):
        super().__init__(HAWSER, *words, found=True)
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

    def nginx(self, address=SERVER, **rest):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{self.room}/key", "-out", f"{self.room}/cert", "-days", "1",
                        "-subj", "/CN=server", "-addext", f"subjectAltName=IP:{address}"], check=True, capture_output=True)
        with open(f"{self.room}/conf", "w") as file:
            file.write(NGINX.format(room=self.room, address=address))
        self.begin(8000, "nginx", "-c", f"{self.room}/conf", address=address, **rest)

    def sshd(self, address=SERVER, **rest):
        """Returns what its clients are to be told."""
        for key in ("host_key", "client_key"):
            subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", f"{self.room}/{key}"], check=True)
        os.chown(f"{self.room}/client_key", USER, USER)
        with open(f"{self.room}/sshd", "w") as file:
            file.write(SSHD.format(room=self.room, address=address))
        os.makedirs("/run/sshd", exist_ok=True)
        self.begin(2222, "/usr/sbin/sshd", "-D", "-e", "-f", f"{self.room}/sshd", address=address, **rest)
        return ["-i", f"{self.room}/client_key", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]

    def seen(self):
        """Whom nginx saw, once a request."""
        with open(f"{self.room}/who") as log:
            return log.read().split()

    def both(self, before, part=0.1, way="rx"):
        """Each uplink has carried a part of what came since then, or left."""
        grown = [now - then for now, then in zip(self.carried(way), before)]
        assert min(grown) > part * sum(grown), grown
        return "{:.0f} and {:.0f} % by each".format(*(100 * g / sum(grown) for g in grown))


def sha_of(stream):
    """Of all that comes."""
    sha = hashlib.sha256()
    while piece := stream.read(1 << 20):
        sha.update(piece)
    return sha.hexdigest()
