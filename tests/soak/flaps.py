"""Uplinks that fail."""
import collections
import contextlib
import json
import random
import subprocess
import threading
import time

from world import command

FAMILIES = ((4,), (6,), (4, 6))
CALM_S, PAUSE_S = (3, 10), (0.05, 8)  # before each of them, and of each
NARROW_MTU = 1280
TOO_LONG = (f"ip length > {NARROW_MTU}", f"ip6 length > {NARROW_MTU - 40}")
LAST_S = 10  # no more of them so long before the end
SLOW = 1.1  # what setting up and restoring may add
LATE_S = 1.5  # after a flap: where a default route alone is missing its uplink goes after half a second, on a busy machine later


@contextlib.contextmanager
def dropping(dev, hooks, *what):
    """What comes, or leaves, of these packets is lost, and nobody is told. Gives a list, with how many were in the end."""
    table, lost = f"soak_{dev}", []
    rules = "; ".join(f"{packets} counter drop" for packets in what)
    chains = "\n".join(f"chain at_{hook} {{ type filter hook {hook} device {dev} priority 0; {rules}; }}" for hook in hooks)
    subprocess.run(["nft", "-f", "-"], input=f"table netdev {table} {{\n{chains}\n}}\n".encode(), check=True, capture_output=True)
    yield lost
    listed = json.loads(command("nft", "-j", "list", "table", "netdev", table))["nftables"]
    said = [part["counter"]["packets"] for one in listed if "rule" in one for part in one["rule"]["expr"] if "counter" in part]
    lost.append(sum(said))
    command("nft", "delete", "table", "netdev", table)


class Flaps(threading.Thread):
    """One uplink of a host at a time fails, each time in another way, and comes back."""

    def __init__(self, space, far, paths, seed, until_s):
        super().__init__()
        self.space, self.far, self.devices, self.random, self.until_s = space, far, [f"p{path}" for path in paths], random.Random(seed), until_s
        self.ways = [self.link, self.address_away, self.route_away, self.silence, self.narrow]
        self.log, self.done, self.lost, self.problem = [], collections.Counter(), collections.Counter(), None
        self.all_must = until_s - time.time() > LAST_S + len(self.ways) * (CALM_S[1] + PAUSE_S[1]) * SLOW
        with space.inside():
            self.address = {(dev, family): command("ip", "-o", f"-{family}", "addr", "show", "scope", "global", "dev", dev).split()[3]
                            for dev in self.devices for family in (4, 6)}
            self.route = {(dev, family): command("ip", f"-{family}", "route", "show", "default", "dev", dev).split("\n")[0].split()
                          for dev in self.devices for family in (4, 6)}

    def restore(self, dev):
        for family in (4, 6):
            command("ip", "addr", "replace", self.address[dev, family], "dev", dev, *(("nodad",) if family == 6 else ()))
            command("ip", f"-{family}", "route", "replace", *self.route[dev, family], "dev", dev)

    def link(self, dev, pause_s):
        command("ip", "link", "set", dev, "down")
        time.sleep(pause_s)
        command("ip", "link", "set", dev, "up")

    def address_away(self, dev, pause_s):
        for family in self.random.choice(FAMILIES):
            command("ip", "addr", "del", self.address[dev, family], "dev", dev)
        time.sleep(pause_s)

    def route_away(self, dev, pause_s):
        for family in self.random.choice(FAMILIES):
            command("ip", f"-{family}", "route", "del", *self.route[dev, family], "dev", dev)
        time.sleep(pause_s)

    def silence(self, dev, pause_s):
        """Nothing passes, and nobody is told."""
        with dropping(dev, ("ingress", "egress"), "meta protocol { ip, ip6 }") as lost:
            time.sleep(pause_s)
        self.lost["silence"] += sum(lost)

    def narrow(self, dev, pause_s):
        """Nor of its MTU. Judged where packets arrive, which have a wire's length there."""
        with dropping(dev, ("ingress",), *TOO_LONG) as inward, self.far.inside(), dropping(dev, ("ingress",), *TOO_LONG) as outward:
            time.sleep(pause_s)
        self.lost["narrow"] += sum(inward + outward)

    def run(self):
        with self.space.inside():
            try:
                self.flap()
            except Exception as problem:
                self.problem = f"{type(problem).__name__}: {problem} {getattr(problem, 'stderr', None) or ''}"

    def flap(self):
        to_come = []
        while True:
            time.sleep(self.random.uniform(*CALM_S))
            pause_s = self.random.uniform(*PAUSE_S)
            if time.time() + pause_s > self.until_s - LAST_S:
                return
            to_come = to_come or self.random.sample(self.ways, len(self.ways))
            dev, way = self.random.choice(self.devices), to_come.pop()
            self.log.append({"at_s": time.time(), "pause_s": round(pause_s, 1), "dev": dev, "way": way.__name__})
            way(dev, pause_s)
            self.restore(dev)
            self.done[way.__name__] += 1

    def judge(self):
        """Returns what is wrong with the flaps themselves: each way is to have occurred, and to have been felt."""
        wrong = [self.problem] if self.problem else []
        missing = [way.__name__ for way in self.ways if not self.done[way.__name__]]
        missing += [f"a packet lost by {way}" for way in ("silence", "narrow") if not self.lost[way]]
        return wrong + [f"no {way} in {self.done.total()} flaps" for way in missing if self.all_must]

    def met_young(self, wrong, young_s):
        """Whether one began when it was no older than that."""
        return any(-LATE_S < flap["at_s"] - wrong["began_s"] < young_s for flap in self.log)

    def around(self, wrong):
        """Those that it may have met, by the connection's own clock."""
        found = [{**flap, "at_s": round(flap["at_s"] - wrong["began_s"], 1)} for flap in self.log]
        return [flap for flap in found if -10 < flap["at_s"] < wrong["after_s"] + 1]
