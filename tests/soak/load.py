#!/usr/bin/env python3
"""What a soak's programs do, unaware of Hawser: usage: load.py WHAT, a JSON object (kinds.py). Prints another one, and exits
0 when it has done so: what went wrong is in it, and others judge that, who know what the uplinks did meanwhile."""
import asyncio
import collections
import errno
import functools
import hashlib
import json
import random
import sys
import time

import pattern
import ways

ASK_S = 5
NEXT_ADDRESS_S = 3  # for one that does not answer, where there is another one


def name_of(problem):
    return errno.errorcode[problem.errno] if type(problem) is OSError else type(problem).__name__


class Load:
    def __init__(self, what):
        self.what, self.until = what, time.monotonic() + what["seconds"]
        self.patience_s = what["patience_s"]  # for whatever has to happen next on a connection
        self.way, self.ports = ways.WAYS[what["way"]], {}
        self.done, self.bytes, self.wrong, self.longest_echo_s = collections.Counter(), 0, [], 0.0

    def goes_on(self):
        return time.monotonic() < self.until

    async def reach(self, addresses):
        """As programs do with a name's addresses: one after the other."""
        for address in addresses[:-1]:
            try:
                return await asyncio.wait_for(self.way(address, self.what.get("proxy")), NEXT_ADDRESS_S)
            except (OSError, asyncio.TimeoutError):
                pass
        return await asyncio.wait_for(self.way(addresses[-1], self.what.get("proxy")), self.patience_s)

    async def open(self, to, line):
        reader, writer = await self.reach(to)
        writer.write(line.encode() + b"\n")
        self.ports[asyncio.current_task()] = writer.get_extra_info("sockname")[1]
        return reader, writer

    async def get(self, to, seed, size):
        reader, writer = await self.open(to, f"get {seed} {size}")
        sha, got = hashlib.sha256(), 0
        while piece := await asyncio.wait_for(reader.read(1 << 16), self.patience_s):
            sha.update(piece)
            got += len(piece)
        writer.close()
        self.bytes += got
        assert sha.hexdigest() == pattern.digest(seed, size), f"get {seed} {size}: {got} bytes, or wrong ones"

    async def put(self, to, seed, size):
        reader, writer = await self.open(to, f"put {seed} {size}")
        for piece in pattern.blocks(seed, size):
            writer.write(piece)
            await asyncio.wait_for(writer.drain(), self.patience_s)
        while (answer := (await asyncio.wait_for(reader.readline(), self.patience_s)).decode().strip()) == ".":
            pass  # buffers on the way hold megabytes, for which a crowded path may take longer than a minute
        writer.close()
        self.bytes += size
        assert answer == pattern.digest(seed, size), f"put {seed} {size}: the far end has {answer or 'nothing'}"

    async def read_or_ask(self, reader, writer):
        """A RST is said once. Where it is lost, in a full queue or a silence, who waits hears of it when he says something."""
        for _ in range(self.patience_s // ASK_S):
            try:
                return await asyncio.wait_for(reader.read(1 << 16), ASK_S)
            except asyncio.TimeoutError:
                writer.write(b"?\n")
        raise asyncio.TimeoutError("no reset comes")

    async def reset(self, to):
        reader, writer = await self.open(to, "reset")
        try:
            while await self.read_or_ask(reader, writer):
                pass
        except ConnectionResetError:
            return
        finally:
            writer.close()
        raise AssertionError("a reset came as an end")

    async def refused(self, to):
        try:
            await self.reach([(address, port + 1) for address, port in to])
        except ConnectionRefusedError:
            return
        raise AssertionError("a port that nobody listens on took a connection")

    async def echo(self, to, pause_s):
        """One connection for the whole time, which is silent between its lines."""
        reader, writer = await self.open(to, "echo")
        count = 0
        while self.goes_on():
            line, sent_at = f"{self.what['seed']}/{count}\n".encode(), time.monotonic()
            writer.write(line)
            answer = await asyncio.wait_for(reader.readline(), self.patience_s)
            assert answer == line, f"echo: {answer} for {line}"
            self.longest_echo_s = max(self.longest_echo_s, time.monotonic() - sent_at)
            count += 1
            await asyncio.sleep(min(pause_s, max(0.0, self.until - time.monotonic())))
        writer.close()

    async def once(self, name, to, draw):
        began_s = time.time()
        try:
            await draw(to)
            self.done[f"{name} IPv{6 if ':' in to[0][0] else 4}"] += 1
        except (AssertionError, OSError, EOFError, asyncio.TimeoutError) as problem:
            self.wrong.append({"what": f"{name} {to[0][0]}", "error": name_of(problem), "says": str(problem), "began_s": began_s,
                               "after_s": round(time.time() - began_s, 1), "port": self.ports.pop(asyncio.current_task(), None)})
            await asyncio.sleep(0.1)

    async def repeat(self, name, draw, rnd):
        """To each of the targets in turn, whose own addresses are in any order."""
        count = rnd.randrange(1000)
        while self.goes_on():
            to = self.what["targets"][count % len(self.what["targets"])]
            await self.once(name, rnd.sample(to, len(to)), draw)
            count += 1
            if self.what.get("once"):
                return

    def sized(self, service, rnd, low, high):
        return lambda to: service(to, f"{self.what['seed']}-{rnd.random()}", int(low * (high / low) ** rnd.random()))

    async def run(self):
        rnd, most = random.Random(self.what["seed"]), self.what["most_bytes"]
        draws = {"get": self.sized(self.get, rnd, 1e5, most), "put": self.sized(self.put, rnd, 1e5, most),
                 "short": self.sized(self.get, rnd, 1, 1e4), "reset": self.reset, "refused": self.refused}
        under_way = [self.repeat(name, draws[name], rnd) for name, count in self.what["at_once"].items() for _ in range(count)]
        for to in self.what["targets"]:
            under_way += [self.once(name, to, functools.partial(self.echo, pause_s=pause_s)) for name, pause_s in self.what["echoes"].items()]
        await asyncio.gather(*under_way)

    def report(self):
        return {"done": self.done, "megabytes": round(self.bytes / 1e6), "longest_echo_s": round(self.longest_echo_s, 2),
                "wrong": self.wrong}


if __name__ == "__main__":
    load = Load(json.loads(sys.argv[1]))
    asyncio.run(load.run())
    print(json.dumps(load.report()))
