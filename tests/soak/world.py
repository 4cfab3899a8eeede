"""Where the soak takes place: the lab's two namespaces, and others behind them.

  near     two uplinks, and a service: programs, local proxies, published ports, and a door for who is behind lan0
  lan      one who is behind lan0, and knows nothing of it
  laptop   two uplinks of its own, and a service that goes by an upstream
  far      where all uplinks end: the upstream, servers, and clients of what is published
  beyond   servers to which the upstream leads on, for it does not into its own host
"""
import contextlib
import os
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from spaces import Space

SERVER = {4: os.environ.get("HAWSER_LAB_SERVER", ""), 6: "2001:db8:9:ff::2"}
BEYOND = {4: "10.20.0.2", 6: "2001:db8:20::2"}
LAN = {4: "10.77.0.1", 6: "2001:db8:77::1"}  # the near end's address there
NEAR, LAPTOP = (0, 1), (2, 3)  # whose paths these are
PATIENCE_S = 20


def command(*words):
    return subprocess.run(words, capture_output=True, check=True).stdout.decode()


def run(script, space):
    with space.inside():
        subprocess.run(["sh", "-ec", script], check=True)


def address(path, family):
    """Of the near end of a path; those of IPv4 are the lab's."""
    return os.environ["HAWSER_LAB_CLIENT"].split()[path] if family == 4 else f"2001:db8:9:{path}::1"


class Here:
    """The namespace that this process is in."""
    def inside(self):
        return contextlib.nullcontext()


class Lent(Space):
    """That of the lab's other end, which lends it by a socket."""
    def __init__(self, path):
        with socket.socket(socket.AF_UNIX) as sock:
            end_s = time.monotonic() + PATIENCE_S
            while sock.connect_ex(path):
                assert time.monotonic() < end_s, "the far end does not lend its namespace"
                time.sleep(0.05)
            self.handle = socket.recv_fds(sock, 1, 1)[1][0]


def far_of_paths(far):
    """The lab's paths have IPv4 alone, and carry any packets."""
    run(f"ip addr add {SERVER[6]}/128 dev lo nodad", far)
    for path in (*NEAR, *LAPTOP):
        run(f"ip -6 route add {address(path, 6)} dev p{path}", far)


def uplinks(space, paths):
    """As DHCP and router advertisements would leave them; without addresses of the link, which are others after each flap."""
    for path in paths:
        run(f"""sysctl -qw net.ipv6.conf.p{path}.addr_gen_mode=1; ip -6 addr flush dev p{path} scope link; ip link set p{path} up
                ip addr replace {address(path, 4)}/32 dev p{path}; ip addr replace {address(path, 6)}/128 dev p{path} nodad
                ip route replace default dev p{path} src {address(path, 4)} metric {100 + path}
                ip -6 route replace default dev p{path} metric {100 + path}""", space)


class World:
    def __init__(self, far_socket):
        self.near, self.far, self.lan, self.laptop, self.beyond = Here(), Lent(far_socket), Space(), Space(), Space()
        far_of_paths(self.far)
        run(f"""ip link add dmz type veth peer name eth0 netns {self.beyond.pid}; ip link set dmz up
                ip addr add 10.20.0.1/24 dev dmz; ip addr add 2001:db8:20::1/64 dev dmz nodad""", self.far)
        run(f"""ip link set lo up; ip link set eth0 up
                ip addr add {BEYOND[4]}/24 dev eth0; ip addr add {BEYOND[6]}/64 dev eth0 nodad""", self.beyond)
        run(f"""ip link add lan0 type veth peer name eth0 netns {self.lan.pid}; ip link set lan0 up
                ip addr add {LAN[4]}/24 dev lan0; ip addr add {LAN[6]}/64 dev lan0 nodad""", self.near)
        run(f"""ip link set lo up; ip link set eth0 up; ip addr add 10.77.0.2/24 dev eth0; ip addr add 2001:db8:77::2/64 dev eth0 nodad
               ip route add default via {LAN[4]}; ip -6 route add default via {LAN[6]}""", self.lan)
        run("ip link set lo up; sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0", self.laptop)
        for path in LAPTOP:
            run(f"ip link set p{path} netns {self.laptop.pid}", self.near)
        uplinks(self.near, NEAR)
        uplinks(self.laptop, LAPTOP)
