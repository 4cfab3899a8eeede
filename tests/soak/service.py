"""A service under load: memory, descriptors and what it changes of its namespace, all as it was."""
import collections
import itertools
import json
import os
import signal
import statistics
import subprocess
import tempfile
import threading
import time

from world import PATIENCE_S, command

FLAT = 1.05     # what memory may have become, late beside early; and descriptors, as each client of a proxy has some
LIST_EVERY = 5  # samples
SAMPLE_S = 2
QUARTERS = 4
ENOUGH = 0.8    # of the samples that there should be, that memory and descriptors may be judged
OLD_MS = 5000   # a listing names no younger ones


def network_state():
    """What the service changes and must take back. The flaps lose a route of the lab's own tables, and link-local addresses come when
    the kernel is sure of them."""
    routes = [line for line in command("ip", "route", "show", "table", "all").splitlines() if "table 10" not in line and "fe80" not in line]
    return {"rules": command("ip", "rule") + command("ip", "-6", "rule"), "routes": sorted(routes), "nft": command("nft", "list", "tables"),
            "links": command("ip", "-br", "link")}


class Service:
    def __init__(self, name, hawser, space, *words):
        self.name, self.hawser, self.space, self.said = name, hawser, space, []
        directory = tempfile.mkdtemp(prefix=f"hawser-soak-{name}-")
        self.control = os.path.join(directory, "control")
        with space.inside():
            self.before = network_state()
            self.process = subprocess.Popen([hawser, "up", "-c", os.devnull, "-v", "--control", self.control, *words], stderr=subprocess.PIPE, text=True,
                                            env={**os.environ, "RUNTIME_DIRECTORY": directory, "HAWSER_FILTER": "kill"})
        while not self.said or "ready" not in self.said[-1]:
            line = self.process.stderr.readline()
            assert line, f"hawser up ({name}) did not come up: {''.join(self.said)}"
            self.said.append(line)
        threading.Thread(target=lambda: self.said.extend(self.process.stderr), daemon=True).start()
        self.first_descriptors = self.descriptors()
        self.taken, self.lists, self.over = [], collections.defaultdict(list), threading.Event()
        self.began_s, self.missed = time.monotonic(), []
        self.sampler = threading.Thread(target=self.sample, daemon=True)
        self.sampler.start()

    def run(self, *words):
        """A line that runs a program at its door."""
        return [self.hawser, "run", "--control", self.control, *words, "--"]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def sample(self):
        for count in itertools.count(1):
            if self.over.wait(max(0, self.began_s + count * SAMPLE_S - time.monotonic())) or self.process.poll() is not None:
                return
            try:
                self.take()
            except Exception as problem:
                self.missed.append(f"{type(problem).__name__}: {problem} {getattr(problem, 'stderr', None) or ''}")

    def take(self):
        if (len(self.taken) + len(self.missed)) % LIST_EVERY == 0:
            self.list()
        with open(f"/proc/{self.process.pid}/statm") as statm:
            resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        self.taken.append((resident, self.descriptors()))

    def list(self):
        """Connections that are no young ones, by their client's port."""
        for conn in json.loads(command(self.hawser, "ss", "--json", "--control", self.control)):
            if conn["age_ms"] > OLD_MS:
                self.lists[int(conn["client"].rsplit(":", 1)[1])].append({"at_s": time.time(), **conn})

    def of(self, wrong):
        """What was listed of it."""
        return [conn for conn in self.lists[wrong["port"]] if -1 < conn["at_s"] - wrong["began_s"] < wrong["after_s"] + 1]

    def quarters(self, which):
        """Medians of the second and of the last quarter."""
        values, n = [sample[which] for sample in self.taken], len(self.taken) // QUARTERS
        return statistics.median(values[n:2 * n]), statistics.median(values[3 * n:])

    def nobody_left(self):
        """Whether it has as many descriptors as before anybody came, soon after all have gone."""
        end_s = time.monotonic() + PATIENCE_S
        while self.descriptors() > self.first_descriptors and time.monotonic() < end_s:
            time.sleep(0.1)
        return self.descriptors() <= self.first_descriptors

    def judge_samples(self):
        """Returns what is wrong."""
        self.over.set()
        self.sampler.join()
        wrong = [f"{len(self.missed)} samples failed, first: {self.missed[0]}"] if self.missed else []
        due = int((time.monotonic() - self.began_s) / SAMPLE_S)
        self.told = {"samples": [len(self.taken), due]}
        if len(self.taken) < max(ENOUGH * due, QUARTERS):
            return [*wrong, f"{len(self.taken)} samples of {due} are too few to judge by"]
        memory, descriptors = self.quarters(0), self.quarters(1)
        if memory[1] > memory[0] * FLAT:
            wrong.append("memory grew")
        if descriptors[1] > descriptors[0] * FLAT:
            wrong.append("descriptors grew")
        self.told |= {"memory_mb": [round(m / 1e6, 1) for m in memory], "descriptors": [self.first_descriptors, *descriptors]}
        return wrong

    def end(self):
        """When all have gone; returns what is wrong."""
        wrong = self.judge_samples()
        if self.process.poll() is None and not self.nobody_left():
            wrong.append(f"{self.descriptors()} descriptors in the end, {self.first_descriptors} in the beginning")
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(PATIENCE_S) != 0:
            wrong.append(f"hawser up ended with {self.process.returncode}: {''.join(self.said[-5:])}")
        with self.space.inside():
            after = network_state()
        wrong += [f"{what} not taken back: {after[what]}, before {self.before[what]}" for what in after if after[what] != self.before[what]]
        return [f"{self.name}: {problem}" for problem in wrong]
