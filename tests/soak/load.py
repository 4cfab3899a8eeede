#!/usr/bin/env python3
"""What a soak's programs do, unaware of Hawser: usage: load.py ADDRESS PORT SECONDS SEED. Prints one JSON object, and
exits 1 unless every byte was right and every connection ended as it should."""
import asyncio
import collections
import hashlib
import json
import random
import sys
import time

import pattern

YOUNG_S = 1.5
PATIENCE_S = 60  # for whatever has to happen next on a connection


class Load:
    def __init__(self, address, port, seconds, seed):
        self.to, self.until, self.seed, self.ports = (address, port), time.monotonic() + seconds, seed, {}
        self.done, self.bytes, self.wrong, self.unlucky = collections.Counter(), 0, [], 0
        self.longest_echo_s, self.began_s = 0.0, time.time()

    def goes_on(self):
        return time.monotonic() < self.until

    async def open(self, line):
        reader, writer = await asyncio.wait_for(asyncio.open_connection(*self.to), PATIENCE_S)
        writer.write(line.encode() + b"\n")
        self.ports[asyncio.current_task()] = writer.get_extra_info("sockname")[1]
        return reader, writer

    async def get(self, seed, size):
        reader, writer = await self.open(f"get {seed} {size}")
        sha, got = hashlib.sha256(), 0
        while piece := await asyncio.wait_for(reader.read(1 << 16), PATIENCE_S):
            sha.update(piece)
            got += len(piece)
        writer.close()
        self.bytes += got
        assert sha.hexdigest() == pattern.digest(seed, size), f"get {seed} {size}: {got} bytes, or wrong ones"

    async def put(self, seed, size):
        reader, writer = await self.open(f"put {seed} {size}")
        for piece in pattern.blocks(seed, size):
            writer.write(piece)
            await asyncio.wait_for(writer.drain(), PATIENCE_S)
        answer = (await asyncio.wait_for(reader.readline(), PATIENCE_S)).decode().strip()
        writer.close()
        self.bytes += size
        assert answer == pattern.digest(seed, size), f"put {seed} {size}: the far end has {answer or 'nothing'}"

    async def reset(self):
        reader, writer = await self.open("reset")
        try:
            while await asyncio.wait_for(reader.read(1 << 16), PATIENCE_S):
                pass
        except ConnectionResetError:
            return
        finally:
            writer.close()
        raise AssertionError("a reset came as an end")

    async def refused(self):
        try:
            await asyncio.wait_for(asyncio.open_connection(self.to[0], self.to[1] + 1), PATIENCE_S)
        except ConnectionRefusedError:
            return
        raise AssertionError("a port that nobody listens on took a connection")

    async def echo(self, pause_s):
        """One connection for the whole time, which is silent between its lines."""
        reader, writer = await self.open("echo")
        count = 0
        while self.goes_on():
            line, sent_at = f"{self.seed}/{count}\n".encode(), time.monotonic()
            writer.write(line)
            answer = await asyncio.wait_for(reader.readline(), PATIENCE_S)
            assert answer == line, f"echo: {answer} for {line}"
            self.longest_echo_s = max(self.longest_echo_s, time.monotonic() - sent_at)
            count += 1
            await asyncio.sleep(min(pause_s, max(0.0, self.until - time.monotonic())))
        writer.close()

    async def once(self, name, draw):
        """Nothing can save a connection whose only path dies before the peer has answered to its first bytes: there is
        nothing to join yet (RFC 8684 3.2)."""
        began_at = time.monotonic()
        try:
            await draw
            self.done[name] += 1
        except ConnectionResetError as problem:
            if time.monotonic() - began_at < YOUNG_S:
                self.unlucky += 1
            else:
                self.complain(name, began_at, problem)
        except (AssertionError, OSError, asyncio.TimeoutError) as problem:
            self.complain(name, began_at, problem)

    def complain(self, name, began_at, problem):
        """With what it takes to find the connection in the listings, and the flap in the log."""
        self.wrong.append({"what": f"{name}: {type(problem).__name__} {problem}", "port": self.ports.get(asyncio.current_task()),
                           "after_s": round(time.monotonic() - began_at, 1), "at_s": round(time.time() - self.began_s)})

    async def repeat(self, name, draw):
        while self.goes_on():
            await self.once(name, draw())

    async def run(self):
        rnd = random.Random(self.seed)

        def sized(service, low, high):
            return lambda: service(f"{self.seed}-{rnd.random()}", int(low * (high / low) ** rnd.random()))
        await asyncio.gather(
            *(self.repeat("get", sized(self.get, 1e5, 3e7)) for _ in range(3)),
            *(self.repeat("put", sized(self.put, 1e5, 3e7)) for _ in range(2)),
            *(self.repeat("short", sized(self.get, 1, 1e4)) for _ in range(8)),
            self.repeat("reset", self.reset), self.repeat("refused", self.refused),
            self.once("keystrokes", self.echo(0.2)), self.once("idle", self.echo(25)))

    def report(self):
        return {"done": self.done, "megabytes": round(self.bytes / 1e6), "longest_echo_s": round(self.longest_echo_s, 2),
                "unlucky": self.unlucky, "wrong": len(self.wrong), "first_wrong": self.wrong[:5]}


if __name__ == "__main__":
    load = Load(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
    asyncio.run(load.run())
    print(json.dumps(load.report()))
    sys.exit(1 if load.wrong else 0)
