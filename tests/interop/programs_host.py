"""What a program of `hawser run` has of its host: files, names, and the keeper beside it; for interop/programs."""
import functools
import os
import subprocess
import tempfile

from programs_world import *


def ssh(hawser):
    """It ends where a file that its configuration includes is neither root's nor the user's."""
    room = tempfile.mkdtemp(prefix="hawser-ssh-")
    for name in "folder", "elsewhere":
        os.mkdir(f"{room}/{name}")
    files = {"ssh_config": "Include ssh_config.d/*.conf\n", "folder/20-own.conf": f"Host *\n  include = \"{room}/elsewhere/deep\" /nowhere\n",
             "elsewhere/linked": "Host named\n  HostName linked.example\n", "elsewhere/deep": "Port 4242\n"}
    for name, text in files.items():
        with open(f"{room}/{name}", "w") as file:
            file.write(text)
    os.symlink(f"{room}/elsewhere/linked", f"{room}/folder/10-linked.conf")
    for at in room, *(f"{room}/{name}" for name in ("folder", "elsewhere")):
        os.chmod(at, 0o755)
    private_files({"/etc/ssh/ssh_config": files["ssh_config"]})
    run(f"mount --bind {room}/folder /etc/ssh/ssh_config.d")
    world = World(hawser)

    def reads(user=USER, cwd="/tmp"):
        done = subprocess.run(world.words("sh", "-c", "pwd -P; ssh -G named", user=user), capture_output=True, text=True, cwd=cwd)
        assert done.returncode == 0 and {"hostname linked.example", "port 4242"} < set(done.stdout.splitlines()), done.stderr
        return done.stdout.splitlines()[0]
    assert reads(cwd=f"{room}/folder") == f"{room}/folder"
    assert reads(user=0) == "/tmp"
    os.chmod(f"{room}/elsewhere/deep", 0o666)  # that it does not believe outside, either
    done = subprocess.run(world.words("ssh", "-G", "named"), capture_output=True, text=True)
    assert done.returncode == 255 and "Bad owner or permissions" in done.stderr, done
    os.chmod(f"{room}/elsewhere/deep", 0o644)
    own = "readlink /proc/self/ns/mnt"
    assert world.run("sh", "-c", own) != os.readlink("/proc/self/ns/mnt") + "\n" == world.run("sh", "-c", own, user=0)
    for number in range(100):  # more than are copied
        with open(f"{room}/folder/30-{number}.conf", "w") as file:
            file.write("Port 1\n")
    assert world.run("echo", "fine") == "fine\n"
    run("umount /etc/ssh/ssh_config.d")
    run("mount -t tmpfs nothing /etc/ssh/ssh_config.d")
    assert world.run("sh", "-c", own) == os.readlink("/proc/self/ns/mnt") + "\n", "a namespace for nothing"
    world.end()
    shutil.rmtree(room)
    return "linked files, and what they include; no others"


def unreadable(hawser):
    """Who may run an executable, and not read it, may not look at the process, either; it has its names all the same."""
    private_files({"/etc/resolv.conf": "nameserver 127.0.0.53\n"})
    world = World(hawser)
    world.resolver()
    shutil.copy(os.path.realpath(PYTHON), f"{world.room}/python")
    os.chmod(f"{world.room}/python", 0o711)
    look = "import socket, sys, time; time.sleep(float(sys.argv[1])); print(socket.gethostbyname('server.example'), flush=True)"
    for script in 'exec "$@"', '"$@" & exit 0':  # the program itself, and what it leaves behind
        program = world.popen("sh", "-c", script, "sh", f"{world.room}/python", "-Sc", look, "1.3", stdout=subprocess.PIPE, text=True)
        assert program.communicate(timeout=PATIENCE_S)[0] == f"{SERVER}\n"
    world.until(lambda: not world.pairs(), "its devices stay")
    world.end()
    return "a program and its child"


def keepers():
    """Those of this case."""
    for pid in subprocess.run(["pgrep", "-x", "hawser-keeper"], capture_output=True, text=True).stdout.split():
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net"):
                yield int(pid)


def keeper_asked_to_end(hawser):
    """As all of a unit's processes are, of which the program may take its time: until then it has its network."""
    private_files({"/etc/resolv.conf": "nameserver 127.0.0.53\n"})
    world = World(hawser)
    world.resolver()
    program = world.popen(PYTHON, "-c", """
import socket, sys
s = socket.create_connection(("10.8.0.1", 7)); print("connected", flush=True)
for line in sys.stdin: print(socket.gethostbyname(line.strip()), flush=True)
""", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    assert program.stdout.readline() == "connected\n"
    keeper, = keepers()
    for number in signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT:
        os.kill(keeper, number)
        program.stdin.write("server.example\n")
        assert program.stdout.readline() == f"{SERVER}\n", number.name
    program.terminate()
    program.wait()
    world.until(lambda: not list(keepers()), "it stays", 3)
    # So it stands in for a service that is gone.
    program = world.popen(PYTHON, "-c", """
import errno, socket
s = socket.create_connection(("10.8.0.1", 7)); print("connected", flush=True)
try: s.recv(1)
except OSError as error: print(errno.errorcode[error.errno], flush=True)
""", stdout=subprocess.PIPE, text=True)
    assert program.stdout.readline() == "connected\n"
    keeper, = keepers()
    os.kill(keeper, signal.SIGTERM)
    world.up.kill()
    world.up.wait()
    assert program.stdout.readline() == "ECONNRESET\n"
    program.wait()
    world.until(lambda: not list(keepers()), "it stays", 3)
    return "it ends with the program"


def names_change(hawser):
    """The host's resolver becomes one of its own, or another one, while a program runs."""
    private_files({"/etc/resolv.conf": f"nameserver {SERVER}\n"})
    world = World(hawser)
    for address in "127.0.0.1", "127.0.0.53":
        world.serve_datagrams(53, dns_answer, address, None)
    world.serve(53, hello, address="127.0.0.1", space=None)
    world.serve_datagrams(53, dns_answer)
    program = world.popen(PYTHON, "-c", """
import socket, sys
for line in sys.stdin: print(socket.gethostbyname(line.strip()), flush=True)
print(socket.create_connection(("127.0.0.1", 53)).makefile().read())
""", options=("--host-loopback", "53"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    for address in SERVER, "127.0.0.53", "127.0.0.1", SERVER:
        with open("/etc/resolv.conf", "w") as file:  # of this case alone
            file.write(f"nameserver {address}\n")
        program.stdin.write("server.example\n")
        assert program.stdout.readline() == f"{SERVER}\n", address
    assert program.communicate()[0] == "hello from the host\n"
    world.end()
    return "the next name is asked there"


def cases(hawser):
    bind = functools.partial
    yield "names, the host's resolver changes", bind(names_change, hawser)
    yield "the keeper is asked to end", bind(keeper_asked_to_end, hawser)
    yield "an executable that may not be read", bind(unreadable, hawser)
    yield "files of root's that ssh includes", bind(ssh, hawser)
