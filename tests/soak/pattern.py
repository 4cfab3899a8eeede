"""Bytes that both ends can make: `size` of them from `seed`, anywhere in the stream."""
import hashlib

BLOCK = 1 << 16


def block(seed, index):
    return hashlib.shake_128(f"{seed}/{index}".encode()).digest(BLOCK)


def blocks(seed, size):
    for index in range((size + BLOCK - 1) // BLOCK):
        yield block(seed, index)[:size - index * BLOCK]


def digest(seed, size):
    sha = hashlib.sha256()
    for piece in blocks(seed, size):
        sha.update(piece)
    return sha.hexdigest()
