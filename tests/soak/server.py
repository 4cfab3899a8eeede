#!/usr/bin/env python3
"""A server of the soak's: usage: server.py PORT. Kernel MPTCP, a few services on one port, chosen by the first line a client sends.

  get SEED SIZE    sends so many bytes, and ends
  put SEED SIZE    takes so many, says "." now and then meanwhile, and answers with their SHA-256
  echo             sends every line back, for as long as the client likes
  reset            resets the connection after a while of sending
"""
import asyncio
import hashlib
import socket
import struct
import sys

import pattern

STEP = 1 << 18  # bytes, for each of which there is a "."


async def get(reader, writer, seed, size):
    for piece in pattern.blocks(seed, int(size)):
        writer.write(piece)
        await writer.drain()


async def put(reader, writer, seed, size):
    sha, left = hashlib.sha256(), int(size)
    while left and (piece := await reader.read(min(left, 1 << 16))):
        sha.update(piece)
        writer.write(b".\n" * (left // STEP - (left - len(piece)) // STEP))
        left -= len(piece)
    writer.write(sha.hexdigest().encode() + b"\n")


async def echo(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()


async def reset(reader, writer):
    for piece in pattern.blocks("reset", 1 << 20):
        writer.write(piece)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


SERVICES = {"get": get, "put": put, "echo": echo, "reset": reset}


async def serve(reader, writer):
    name = None
    try:
        name, *words = (await reader.readline()).decode().split()
        await SERVICES[name](reader, writer, *words)
        await writer.drain()
    except (ConnectionError, ValueError):  # the client went
        pass
    except OSError as problem:  # ENOTCONN: the kernel has waited for a minute for a path to the client
        if name:
            print(f"far end: {name} of {writer.get_extra_info('peername')}: {problem}", file=sys.stderr)
    finally:
        writer.close()


async def listen(port, family, address):
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((address, port))
    return await asyncio.start_server(serve, sock=sock, backlog=1024)


async def main(port):
    servers = [await listen(port, socket.AF_INET, "0.0.0.0"), await listen(port, socket.AF_INET6, "::")]
    print("listening", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
