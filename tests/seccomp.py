"""System calls that the kernel refuses to this process, and to the programs that it starts. On x86-64."""
import ctypes
import struct

import cases

SOCKET, SENDMSG, UNSHARE, SETNS = 41, 46, 272, 308
NO_NEW_PRIVS, SET_SECCOMP, MODE_FILTER = 38, 22, 2
LOAD, RETURN = 0x20, 0x06
LIKE, UNLIKE = 0x15, 0x115  # one instruction: allow if equal, or if not
ALLOW, ERRNO = 0x7fff0000, 0x00050000
CALL, ARGUMENTS = 0, 16  # where the kernel puts them before the filter


def refuse(call, error, arguments=(), unless=()):
    """With this errno, where the arguments are these, by their places, and the first one is none of `unless`."""
    code = [(LOAD, CALL), (UNLIKE, call)]
    for i, value in arguments:
        code += [(LOAD, ARGUMENTS + 8 * i), (UNLIKE, value)]
    code += [(LOAD, ARGUMENTS), *((LIKE, value) for value in unless), (RETURN, ERRNO | error), (RETURN, ALLOW)]

    def encode(i, word, value):
        to_allow = len(code) - 2 - i
        jumps = {LIKE: (to_allow, 0), UNLIKE: (0, to_allow)}.get(word, (0, 0))
        return struct.pack("=HBBI", word & 0xff, *jumps, value)
    text = ctypes.create_string_buffer(b"".join(encode(i, *one) for i, one in enumerate(code)))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(code), ctypes.addressof(text)))
    assert cases.LIBC.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert cases.LIBC.prctl(SET_SECCOMP, MODE_FILTER, program, 0, 0) == 0
