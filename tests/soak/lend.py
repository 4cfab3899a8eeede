#!/usr/bin/env python3
"""The far end of the lab lends its namespace: usage: lend.py SOCKET. Its processes would see nobody of the near end, and the
near end, which judges all, starts what runs here."""
import os
import signal
import socket
import sys

listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(1)
socket.send_fds(listener.accept()[0], [b"."], [os.open("/proc/self/ns/net", os.O_RDONLY)])
signal.pause()
