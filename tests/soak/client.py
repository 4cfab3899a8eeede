#!/usr/bin/env python3
"""The soak, from the lab's near end: usage: client.py HAWSER SECONDS SEED SOCKET. Starts the services, lets every kind of load
come by its door while uplinks fail in all ways, and judges: every byte right, memory and descriptors flat, all taken back."""
import collections
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time

from flaps import Flaps
from kinds import HERE, OF_PROGRAM, PORT, PROXY, PUBLISHED, all_kinds
from service import Service
from world import LAN, LAPTOP, NEAR, SERVER, World

UNLUCKY_EACH = 5  # of those under way at a flap, hardly any is so young
UPSTREAM = f"{SERVER[4]}:8443"


def serve(space, port, *words):
    with space.inside():
        server = subprocess.Popen([*words, sys.executable, os.path.join(HERE, "server.py"), str(port)], stdout=subprocess.PIPE)
    assert server.stdout.readline() == b"listening\n", f"port {port} is not served"
    return server


def start_services(hawser, world):
    """The near one, that of the laptop, and the latter's upstream."""
    with tempfile.NamedTemporaryFile("w") as key:
        key.write(secrets.token_hex(32))
        key.flush()
        upstream = Service("upstream", hawser, world.far, "--serve-upstream", UPSTREAM, "--key", key.name)
        laptop = Service("laptop", hawser, world.laptop, "--upstream", UPSTREAM, "--key", key.name)
    # A server's kernel forgets connections to an uplink's address when that goes, so published is one at another address.
    proxy, own = "%s:%d" % PROXY, {4: LAN[4], 6: f"[{LAN[6]}]"}
    published = [word for family in (4, 6) for word in ("--publish", f"{PUBLISHED[family]},to={own[family]}:{PORT}")]
    near = Service("near", hawser, world.near, "--socks", proxy, "--http-proxy", proxy, "--door-interface", "lan0", *published)
    return near, laptop, upstream


def run_all(kinds, flaps, seconds, seed):
    threads = [*flaps, *(threading.Thread(target=kind.run, args=(seconds, seed)) for kind in kinds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def judge(kinds, flaps):
    """Those of one host, whose uplinks flapped so."""
    unlucky, wrong = 0, flaps.judge()
    for kind in kinds:
        young, problems = kind.judge(flaps)
        unlucky += young
        wrong += problems
        print(json.dumps({**kind.report(), "unlucky": young}))
    if unlucky > UNLUCKY_EACH * flaps.done.total():
        wrong.append(f"{unlucky} connections were beyond help at {flaps.done.total()} flaps")
    return wrong


def main():
    hawser, seconds, seed, far_socket = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    world = World(far_socket)
    for space in (world.far, world.beyond):
        serve(space, PORT)
    serve(world.near, PORT)
    services = near, laptop, _ = start_services(hawser, world)
    published = serve(world.near, OF_PROGRAM, *near.run("--publish", str(OF_PROGRAM)))
    until_s = time.time() + seconds
    flaps = {near: Flaps(world.near, world.far, NEAR, seed, until_s),
             laptop: Flaps(world.laptop, world.far, LAPTOP, seed + 1, until_s)}
    kinds = all_kinds(world, near, laptop)
    run_all(kinds, flaps.values(), seconds, seed)
    published.terminate()
    wrong = []
    for service, its in flaps.items():
        wrong += judge([kind for kind in kinds if kind.service is service], its)
    for service in services:
        wrong += service.end()
        print(json.dumps({"service": service.name, **service.told}))
    done, lost = (sum((getattr(its, what) for its in flaps.values()), collections.Counter()) for what in ("done", "lost"))
    print(json.dumps({"flaps": done, "packets_lost": lost, "wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
