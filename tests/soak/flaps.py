"""Uplinks that fail."""
import collections
import random
import subprocess
import threading
import time

from world import command

FAMILIES = ((4,), (6,), (4, 6))
LAST_S = 10  # no more of them so long before the end
LATE_S = 1.5  # after a flap: where a default route alone is missing its uplink goes after half a second, on a busy machine later


class Flaps(threading.Thread):
    """One uplink of a host at a time fails, each time in another way, and comes back."""

    def __init__(self, space, paths, seed, until_s):
        super().__init__()
        self.space, self.devices, self.random, self.until_s = space, [f"p{path}" for path in paths], random.Random(seed), until_s
        self.log, self.done, self.problem = [], collections.Counter(), None
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
        rules = f"table netdev soak {{\nchain in {{ type filter hook ingress device {dev} priority 0; drop; }}\n" \
                f"chain out {{ type filter hook egress device {dev} priority 0; drop; }}\n}}\n"
        subprocess.run(["nft", "-f", "-"], input=rules.encode(), check=True)
        time.sleep(pause_s)
        command("nft", "delete", "table", "netdev", "soak")

    def run(self):
        with self.space.inside():
            try:
                self.flap()
            except subprocess.CalledProcessError as problem:
                self.problem = f"{' '.join(problem.cmd)}: {problem.stderr}"

    def flap(self):
        ways = [self.link, self.address_away, self.route_away, self.silence]
        while True:
            time.sleep(self.random.uniform(3, 10))
            pause_s = self.random.uniform(0.05, 8)
            if time.time() + pause_s > self.until_s - LAST_S:
                return
            dev, way = self.random.choice(self.devices), self.random.choice(ways)
            self.log.append({"at_s": time.time(), "pause_s": round(pause_s, 1), "dev": dev, "way": way.__name__})
            way(dev, pause_s)
            self.restore(dev)
            self.done[way.__name__] += 1

    def met_young(self, wrong, young_s):
        """Whether one began when it was no older than that."""
        return any(-LATE_S < flap["at_s"] - wrong["began_s"] < young_s for flap in self.log)

    def around(self, wrong):
        """Those that it may have met, by the connection's own clock."""
        found = [{**flap, "at_s": round(flap["at_s"] - wrong["began_s"], 1)} for flap in self.log]
        return [flap for flap in found if -10 < flap["at_s"] < wrong["after_s"] + 1]
