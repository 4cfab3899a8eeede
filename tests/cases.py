"""Runs the cases of a suite so that none of them can spoil the next.

Each case is a process of its own, with the signals as a shell gives them whatever the caller ignores, and where that is
asked for in a network namespace of its own: devices, addresses and sockets end with it. Whatever it leaves running is
killed, children of children too.
"""
import collections
import ctypes
import os
import signal
import sys
import tempfile
import time

CLONE_NEWNET, CLONE_NEWNS, MS_REC, MS_PRIVATE, PR_SET_CHILD_SUBREAPER = 0x40000000, 0x20000, 16384, 1 << 18, 36
CONFIGURATION = "/etc/hawser"  # of this machine, which is none of a case's
LIBC = ctypes.CDLL(None, use_errno=True)
KEPT_SIGNALS = {signal.SIGKILL, signal.SIGSTOP, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ}  # as Python has them


def children():
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as stat:
                parent = stat.read().rsplit(")", 1)[1].split()[1]
        except OSError:  # gone meanwhile
            continue
        if int(parent) == os.getpid():
            yield int(entry)


def sweep():
    """Orphans become children of ours (PR_SET_CHILD_SUBREAPER), one generation after the other."""
    while left := list(children()):
        for pid in left:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def must(status, what):
    if status != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def hide(directory):
    """It is empty for this process, and those that it starts."""
    must(LIBC.unshare(CLONE_NEWNS), "no mount namespace")
    must(LIBC.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "no mounts of its own")
    must(LIBC.mount(b"none", directory.encode(), b"tmpfs", 0, None), directory)


def perform(case, network, prepare):
    """Returns whether it passed, and a line about it."""
    try:
        for number in signal.valid_signals() - KEPT_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if network:
            must(LIBC.unshare(CLONE_NEWNET), "no network namespace")
        if network and os.path.exists(CONFIGURATION):
            hide(CONFIGURATION)
        if prepare:
            prepare()
        return True, case()
    except BaseException as problem:  # SystemExit and KeyboardInterrupt are no success either
        return False, f"{'' if isinstance(problem, AssertionError) else type(problem).__name__ + ': '}{problem}"


def wait_for(pid, patience_s):
    """Its status, or None if it takes too long. Orphans that end meanwhile are buried, as init would."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        gone, status = os.waitpid(-1, os.WNOHANG)
        if gone == pid:
            return status
        if gone == 0:
            time.sleep(0.01)
    return None


def run_one(case, network, prepare, patience_s):
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryDirectory() as directory:
        os.environ["HAWSER_CONTROL"] = f"{directory}/control"  # a service of its own
        os.environ["RUNTIME_DIRECTORY"] = directory
        os.environ["HAWSER_FILTER"] = "kill"  # a system call that it does not know of ends it
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            passed, text = perform(case, network, prepare)
            said.write(text)
            said.flush()
            sys.stdout.flush()
            os._exit(0 if passed else 1)
        status = wait_for(pid, patience_s)
        sweep()
        said.seek(0)
        return status == 0, f"not over after {patience_s} s" if status is None else said.read()


def begin(case, network, prepare, patience_s):
    """Runs a case under a keeper of its own, so that others may run beside it; returns how to hear of the result."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        good, text = run_one(case, network, prepare, patience_s)
        os.write(writing, text.encode()[:60000])  # as much as a pipe holds
        os._exit(0 if good else 1)
    os.close(writing)
    return pid, reading


def finish(pid, reading):
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read().decode(errors="replace")
    return os.waitpid(pid, 0)[1] == 0, text


def results(cases, jobs, *rest):
    """Name, whether it passed and a line about it, in order, `jobs` at once."""
    under_way = collections.deque()
    for name, case in cases:
        if len(under_way) == jobs:
            first, ends = under_way.popleft()
            yield first, *finish(*ends)
        under_way.append((name, begin(case, *rest)))
    for first, ends in under_way:
        yield first, *finish(*ends)


def run(suite, cases, words=(), network=False, prepare=None, patience_s=300, jobs=1):
    """Runs those of the pairs of name and function whose names hold all words; returns an exit status. More than one at
    a time only where cases share nothing outside of a namespace."""
    passed = failed = 0
    if network and os.geteuid() != 0:
        os.execvp("unshare", ["unshare", "--user", "--map-root-user", sys.executable, *sys.argv])
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        chosen = ((name, case) for name, case in cases if all(word in name for word in words))
        for name, good, text in results(chosen, jobs, network, prepare, patience_s):
            print(f"{name:50} {'ok' if good else 'FAILED'}: {text}", flush=True)
            passed, failed = passed + good, failed + (not good)
    finally:
        sweep()
    print(f"{suite}: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0
