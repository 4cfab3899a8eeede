"""Network namespaces beside the one that a case has of its own (cases.py)."""
import contextlib
import os
import subprocess
import time

import cases


class Space:
    """Ends with the case."""
    def __init__(self):
        self.pid = subprocess.Popen(["unshare", "--net", "sleep", "inf"]).pid
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.pid}/ns/net") == own:
            time.sleep(0.01)
        self.enter = ["nsenter", "--target", str(self.pid), "--net"]
        self.handle = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)

    @contextlib.contextmanager
    def inside(self):
        """This thread's new sockets and devices are of that namespace, and so are the programs that it starts."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        assert cases.LIBC.setns(self.handle, cases.CLONE_NEWNET) == 0
        try:
            yield
        finally:
            assert cases.LIBC.setns(own, cases.CLONE_NEWNET) == 0
            os.close(own)


def rename(old, new):
    """An interface, while it is up, which Linux 6.2 and later take; else it is down for a moment."""
    if subprocess.run(["ip", "link", "set", old, "name", new], stderr=subprocess.DEVNULL).returncode:
        steps = f"link set {old} down\nlink set {old} name {new}\nlink set {new} up\n"
        subprocess.run(["ip", "-batch", "-"], input=steps.encode(), check=True)
