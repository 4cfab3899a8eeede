"""The kinds of load: where each runs, how it comes in, its share, and what nobody can save of it."""
import collections
import itertools
import json
import os
import subprocess
import sys
import threading

from flaps import LATE_S, PAUSE_S, SLOW
from world import BEYOND, NEAR, SERVER, address

HERE = os.path.dirname(os.path.abspath(__file__))
PORT, PROXY, OF_PROGRAM, PUBLISHED = 4000, ("127.0.0.1", 1080), 7001, {4: 7004, 6: 7006}
SERVERS, BEYOND_SERVERS = ([[(of[family], PORT)] for family in (4, 6)] for of in (SERVER, BEYOND))
PUBLIC = [[(address(path, family), port) for path in NEAR] for family in (4, 6) for port in (PUBLISHED[family], OF_PROGRAM)]
PASSING_S = 2
ROUNDED_S = 0.1  # ages are
FIRST_WRONG = 5  # are told
ECHOES = {"keystrokes": 0.2, "idle": 25}  # and the seconds between them

# Only a client can open paths to what is published, and hears of them by signals, of which an idle connection has two in half a
# minute (RFC 8684 3): the removal of an uplink takes both, and the other one may fail before its return is told. So none is idle.
ECHOES_PUBLISHED = {"keystrokes": 0.2}

# Nothing can save a connection whose only path dies before the peer has answered to its first bytes: there is nothing to
# join yet (RFC 8684 3.2). Queues are full, so one in twenty of its first packets is lost, and comes a second later.
YOUNG, YOUNG_S = {"ConnectionResetError"}, 2.5
# By way of an upstream the first bytes are those to the upstream, and its client has not been accepted by then.
YOUNG_UPSTREAM = YOUNG | {"EHOSTUNREACH"}
# To the kernel's Multipath TCP the reset of the last subflow is a path lost, and it waits for another one for a minute. Of the other
# uplink it hears by an announcement, whose loss shows after a second, before it joins, whose SYN may be lost as well.
YOUNG_PUBLISHED, YOUNG_PUBLISHED_S = YOUNG | {"TimeoutError"}, 5

# Nor at any age one whose server has closed before there was a second path: the kernel refuses joins then (MPJoinRejected), though
# what it has sent was lost with the first one.
SOON_CLOSED = {"short"}

# Its end is told: what a program has closed the kernel resets after a minute, unless it was delivered.
PATIENCE_S = 90
# But a kernel's client that lost its only path waits for a minute, and then says that all is over.
PATIENCE_PUBLISHED_S = 60

# The longest that a line waits for its echo. One uplink at a time fails, so it goes by the other one; at worst the end that has
# it doubles its time-out as long as the uplink is away, and tries again after as long once more.
ECHO_S = 2 * PAUSE_S[1] * SLOW + LATE_S


class Kind:
    def __init__(self, name, service, space, way, targets, share, *, proxy=None, words=(), young=YOUNG, young_s=YOUNG_S, most_bytes=5e6, echoes=ECHOES,
                 soon_closed=SOON_CLOSED, patience_s=PATIENCE_S, echo_s=ECHO_S, **what):
        self.name, self.service, self.space, self.words, self.young, self.young_s = name, service, space, words, young, young_s
        self.soon_closed, self.echo_s = soon_closed, echo_s
        self.what = {"way": way, "targets": targets, "at_once": share, "proxy": proxy, "most_bytes": most_bytes,
                     "echoes": echoes, "patience_s": patience_s, **what}
        self.done, self.wrong, self.told = collections.Counter(), [], collections.Counter()

    def start(self, seconds, seed):
        what = json.dumps({**self.what, "seconds": seconds, "seed": f"{self.name}/{seed}"})
        with self.space.inside():
            return subprocess.Popen([*self.words, sys.executable, os.path.join(HERE, "load.py"), what], stdout=subprocess.PIPE)

    def finish(self, process):
        said = process.communicate()[0]
        if process.returncode:
            self.wrong.append({"what": "a program", "error": f"exit status {process.returncode}", "began_s": 0, "after_s": 0,
                               "port": None})
            return
        told = json.loads(said)
        self.done += collections.Counter(told["done"])
        self.wrong += told["wrong"]
        self.told["megabytes"] += told["megabytes"]
        self.told["longest_echo_s"] = max(self.told["longest_echo_s"], told["longest_echo_s"])

    def run(self, seconds, seed):
        self.finish(self.start(seconds, seed))

    def expected(self):
        return {f"{name} IPv{6 if ':' in to[0][0] else 4}" for name in (*self.what["at_once"], *self.what["echoes"])
                for to in self.what["targets"]}

    def is_beyond_help(self, one, flaps):
        age_s = one["after_s"] + ROUNDED_S if one["what"].split()[0] in self.soon_closed else 0
        return one["error"] in self.young and flaps.met_young(one, max(age_s, self.young_s))

    def judge(self, flaps):
        """Returns how many nobody could save, and what is wrong."""
        wrong = [one for one in self.wrong if not self.is_beyond_help(one, flaps)]
        for one in wrong[:FIRST_WRONG]:
            print(json.dumps({"kind": self.name, **one, "flaps": flaps.around(one), "listings": self.service.of(one)}), file=sys.stderr)
        problems = [f"{self.name}: {len(wrong)} of {len(wrong) + self.done.total()} went wrong"] if wrong else []
        if self.told["longest_echo_s"] > self.echo_s:
            problems.append(f"{self.name}: an echo took {self.told['longest_echo_s']} s, more than {self.echo_s:.1f} s")
        missing = self.expected() - set(self.done)
        if missing:
            problems.append(f"{self.name}: nothing was done of {', '.join(sorted(missing))}")
        return len(self.wrong) - len(wrong), problems

    def report(self):
        return {"kind": self.name, "done": dict(sorted(self.done.items())), **self.told, "wrong": len(self.wrong)}


class Passing(Kind):
    """Programs that are soon over, one after the other: their namespaces and doors come and go."""

    def run(self, seconds, seed):
        over = threading.Event()
        threading.Timer(seconds, over.set).start()
        for count in itertools.count():
            if over.wait(PASSING_S):
                return
            if subprocess.run([*self.words, "true"]).returncode == 0:
                self.done["true"] += 1
            super().run(seconds, f"{seed}/{count}")

    def expected(self):
        return super().expected() | {"true"}


def all_kinds(world, near, laptop):
    share = {"get": 1, "put": 1, "short": 2, "reset": 1, "refused": 1}
    more, no_refusal = {**share, "get": 2, "put": 2, "short": 6}, {"get": 2, "put": 2, "short": 4, "reset": 1}
    return [
        Kind("programs", near, world.near, "direct", SERVERS, more, words=near.run(), most_bytes=3e7),
        Passing("passing", near, world.near, "direct", SERVERS, {"short": 1, "get": 1}, words=near.run(), echoes={}, once=True),
        Kind("SOCKS", near, world.near, "socks", SERVERS, share, proxy=PROXY),
        Kind("CONNECT", near, world.near, "connect", SERVERS, share, proxy=PROXY),
        Kind("network", near, world.lan, "direct", SERVERS, share),
        Kind("published", near, world.far, "mptcp", PUBLIC, no_refusal, young=YOUNG_PUBLISHED, young_s=YOUNG_PUBLISHED_S,
             echoes=ECHOES_PUBLISHED, soon_closed=set(), patience_s=PATIENCE_PUBLISHED_S, echo_s=PATIENCE_PUBLISHED_S),  # it may wait that long
        Kind("upstream", laptop, world.laptop, "direct", BEYOND_SERVERS, share, words=laptop.run(), young=YOUNG_UPSTREAM),
    ]
