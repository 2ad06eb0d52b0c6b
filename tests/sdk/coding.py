"""Content codings for streams, piece by piece: what is put in can be read as soon as it has come. Standard library only.

Brotli (RFC 7932, section 9.2) and Zstandard (RFC 8878, section 3.1.1) have blocks that store bytes as they are; a decoder
takes them as it takes any other.
"""

import zlib


def gzip(pieces):
    compressor = zlib.compressobj(wbits=31)
    yield from (compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH) for piece in pieces)
    yield compressor.flush()


def brotli(pieces):
    """Window bits 16 are one zero bit. A meta-block: not the last, four nibbles of length less one, stored, to the byte's end."""
    first = True
    for piece in filter(None, pieces):
        header = (len(piece) - 1) << 3 | 1 << 19
        bits, count = (header << 1, 21) if first else (header, 20)
        yield bits.to_bytes((count + 7) // 8, "little") + piece
        first = False
    yield b"\x03"


def zstd(pieces):
    """No size, no checksum, a window of 8 MiB; every block raw, the last one empty."""
    yield b"\x28\xb5\x2f\xfd\x00\x68"
    yield from ((len(piece) << 3).to_bytes(3, "little") + piece for piece in pieces)
    yield b"\x01\x00\x00"


CODINGS = {"gzip": gzip, "br": brotli, "zstd": zstd}
