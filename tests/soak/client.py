#!/usr/bin/env python3
"""The near end of the soak, in the lab's namespace: usage: client.py HAWSER SECONDS SEED. Starts the service, runs the
load in it while uplinks fail in all ways, and judges: every program right, memory and descriptors flat, all taken back."""
import collections
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
UPLINKS = ("p0", "p1")
FLAT = 1.05      # what memory may have become, late beside early
LIST_EVERY = 5   # samples
SAMPLE_S = 2
UNLUCKY_EACH = 5  # of those under way at a flap, hardly any is so young


def command(*words):
    return subprocess.run(words, capture_output=True, check=True).stdout.decode()


def network_state():
    """What the service changes and must take back. The soak's own flaps lose a route of the lab's own tables."""
    routes = [line for line in command("ip", "route", "show", "table", "all").splitlines() if "table 10" not in line]
    return [command("ip", "rule"), command("ip", "-6", "rule"), sorted(routes), command("nft", "list", "tables"),
            command("ip", "-br", "link")]


class Flaps(threading.Thread):
    """One uplink at a time fails, each time in another way, and comes back."""

    def __init__(self, seed, until):
        super().__init__()
        self.random, self.until, self.done, self.log, self.began_s = random.Random(seed), until, [], [], time.time()
        self.address = {dev: command("ip", "-o", "-4", "addr", "show", dev).split()[3] for dev in UPLINKS}
        self.route = {dev: command("ip", "route", "show", "default", "dev", dev).split("\n")[0].split() for dev in UPLINKS}

    def restore(self, dev):
        subprocess.run(["ip", "route", "replace", *self.route[dev], "dev", dev], check=True)

    def link(self, dev, pause_s):
        command("ip", "link", "set", dev, "down")
        time.sleep(pause_s)
        command("ip", "link", "set", dev, "up")
        self.restore(dev)

    def address_away(self, dev, pause_s):
        command("ip", "addr", "del", self.address[dev], "dev", dev)
        time.sleep(pause_s)
        command("ip", "addr", "add", self.address[dev], "dev", dev)
        self.restore(dev)

    def route_away(self, dev, pause_s):
        command("ip", "route", "del", *self.route[dev], "dev", dev)
        time.sleep(pause_s)
        self.restore(dev)

    def silence(self, dev, pause_s):
        """Nothing passes, and nobody is told."""
        rules = f"table netdev soak {{\nchain in {{ type filter hook ingress device {dev} priority 0; drop; }}\n" \
                f"chain out {{ type filter hook egress device {dev} priority 0; drop; }}\n}}\n"
        subprocess.run(["nft", "-f", "-"], input=rules.encode(), check=True)
        time.sleep(pause_s)
        command("nft", "delete", "table", "netdev", "soak")

    def run(self):
        while True:
            time.sleep(self.random.uniform(3, 10))
            pause_s = self.random.uniform(0.05, 8)
            if time.time() + pause_s > self.until - 10:
                return
            dev, way = self.random.choice(UPLINKS), self.random.choice([self.link, self.address_away, self.route_away,
                                                                        self.silence])
            self.log.append((round(time.time() - self.began_s, 1), round(pause_s, 1), dev, way.__name__))
            way(dev, pause_s)
            self.done.append(way.__name__)

    def around(self, wrong):
        """Those that it may have met."""
        return [flap for flap in self.log if wrong["at_s"] - wrong["after_s"] - 10 < flap[0] < wrong["at_s"] + 1]


class Samples(threading.Thread):
    def __init__(self, pid, ss):
        super().__init__(daemon=True)
        self.pid, self.ss, self.taken, self.over, self.lists, self.began_s = pid, ss, [], threading.Event(), collections.defaultdict(list), time.time()

    def run(self):
        while not self.over.wait(SAMPLE_S):
            if len(self.taken) % LIST_EVERY == 0:
                self.list(round(time.time() - self.began_s))
            with open(f"/proc/{self.pid}/statm") as statm:
                resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            self.taken.append((resident, len(os.listdir(f"/proc/{self.pid}/fd"))))

    def list(self, at_s):
        """Connections that are no young ones, by their client's port."""
        for conn in json.loads(command(*self.ss)):
            if conn["age_ms"] > 5000:
                self.lists[int(conn["client"].rsplit(":", 1)[1])].append({"at_s": at_s, **conn})

    def of(self, wrong):
        return [conn for conn in self.lists[wrong["port"]] if wrong["at_s"] - wrong["after_s"] - 10 < conn["at_s"]]

    def quarters(self, which):
        """Medians of the second and of the last quarter."""
        values, n = [sample[which] for sample in self.taken], len(self.taken) // 4
        return statistics.median(values[n:2 * n]), statistics.median(values[3 * n:])


def start_service(hawser, control):
    service = subprocess.Popen([hawser, "up", "--control", control, "-v"], stderr=subprocess.PIPE)
    said = []
    for line in service.stderr:
        said.append(line.decode())
        if "ready" in said[-1]:
            break
    else:
        sys.exit("hawser up did not come up: " + "".join(said))
    reader = threading.Thread(target=lambda: said.extend(line.decode() for line in service.stderr), daemon=True)
    reader.start()
    return service, said


def main():
    hawser, seconds, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    server = os.environ["HAWSER_LAB_SERVER"]
    before, wrong = network_state(), []
    control = os.path.join(tempfile.mkdtemp(prefix="hawser-soak-"), "control")
    service, said = start_service(hawser, control)
    flaps, samples = Flaps(seed, time.time() + seconds), Samples(service.pid, [hawser, "ss", "--json", "--control", control])
    flaps.start()
    samples.start()
    load = subprocess.run([hawser, "run", "--control", control, "--", sys.executable, os.path.join(HERE, "load.py"), server, "4000",
                           str(seconds), str(seed)], stdout=subprocess.PIPE)
    flaps.join()
    samples.over.set()
    memory, descriptors = samples.quarters(0), samples.quarters(1)
    if load.returncode:
        wrong.append(f"the load ended with exit status {load.returncode}")
    told = json.loads(load.stdout or "{}")
    unlucky = told.get("unlucky", 0)
    if unlucky > UNLUCKY_EACH * len(flaps.done):
        wrong.append(f"{unlucky} connections were too young to survive {len(flaps.done)} flaps")
    if memory[1] > memory[0] * FLAT:
        wrong.append("memory grew")
    if descriptors[1] > descriptors[0]:
        wrong.append("descriptors grew")
    for problem in told.get("first_wrong", []):
        print(json.dumps({**problem, "flaps": flaps.around(problem), "listings": samples.of(problem)}), file=sys.stderr)
    service.send_signal(signal.SIGTERM)
    if service.wait(20) != 0:
        wrong.append(f"hawser up ended with exit status {service.returncode}: {''.join(said[-5:])}")
    if network_state() != before:
        wrong.append(f"not taken back: {network_state()}, before {before}")
    print(load.stdout.decode().strip() or "the load said nothing")
    print(json.dumps({"flaps": {way: flaps.done.count(way) for way in sorted(set(flaps.done))}, "memory_mb": [round(m / 1e6, 1) for m in memory],
                      "descriptors": descriptors, "wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
