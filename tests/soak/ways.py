"""How a connection comes to be: as any program opens one, by the kernel's Multipath TCP, or by way of a proxy's port."""
import asyncio
import errno
import ipaddress
import os
import socket
import struct

SOCKS_SAYS = {3: errno.ENETUNREACH, 4: errno.EHOSTUNREACH, 5: errno.ECONNREFUSED, 6: errno.ETIMEDOUT}  # RFC 1928 6


async def direct(to, _):
    return await asyncio.open_connection(*to)


async def has_room(sock):
    room, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_writer(sock, room.set)
    try:
        await room.wait()
    finally:
        loop.remove_writer(sock)


async def mptcp(to, _):
    """The loop's own sock_connect() looks up addresses, for protocols that it knows."""
    sock = socket.socket(socket.AF_INET6 if ":" in to[0] else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
    try:
        sock.setblocking(False)
        error = sock.connect_ex(tuple(to))
        if error == errno.EINPROGRESS:
            await has_room(sock)
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        return await asyncio.open_connection(sock=sock)
    except BaseException:
        sock.close()
        raise


async def socks(to, proxy):
    reader, writer = await asyncio.open_connection(*proxy)
    address = ipaddress.ip_address(to[0])
    kind = {4: b"\1", 6: b"\4"}[address.version]
    writer.write(b"\5\1\0" + b"\5\1\0" + kind + address.packed + struct.pack("!H", to[1]))
    _, method, _, reply, _, kind = await reader.readexactly(6)
    if method or reply:
        writer.close()
        raise OSError(SOCKS_SAYS.get(reply, errno.EPROTO), f"SOCKS says {method}, {reply}")
    await reader.readexactly({1: 6, 4: 18}[kind])
    return reader, writer


async def connect(to, proxy):
    reader, writer = await asyncio.open_connection(*proxy)
    name = f"[{to[0]}]:{to[1]}" if ":" in to[0] else f"{to[0]}:{to[1]}"
    writer.write(f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    if head.split()[1] == "200":
        return reader, writer
    why = (await reader.read()).decode()
    writer.close()
    refused = os.strerror(errno.ECONNREFUSED) in why
    raise OSError(errno.ECONNREFUSED if refused else errno.EPROTO, f"CONNECT says {head.splitlines()[0]} {why}")


WAYS = {"direct": direct, "mptcp": mptcp, "socks": socks, "connect": connect}
