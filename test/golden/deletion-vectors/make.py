"""Writes the vectors of this folder with CRoaring (PyPI: pyroaring), independently of our code."""

import struct
import sys
import zlib
from pathlib import Path

from pyroaring import BitMap

CASES = {
    "small-alternating": BitMap([1, 3, 5, 7, 9]),
    "one-run": BitMap(range(10, 100_000)),
    "dense": BitMap(x for x in range(200_000) if x % 3),
    "sparse-high": BitMap([0, 65_535, 65_536, 1_000_000, 4_294_967_295]),
    "mixed": BitMap(list(range(5, 5000)) + [70_000 + 7 * i for i in range(9000)] + [300_001] + list(range(400_000, 600_000))),
}

folder = Path(sys.argv[1])
for name, bitmap in CASES.items():
    bitmap.run_optimize()
    vector = struct.pack("<Q", 1) + struct.pack("<I", 0) + bitmap.serialize()
    body = b"\xd1\xd3\x39\x64" + vector
    blob = struct.pack(">I", len(body)) + body + struct.pack(">I", zlib.crc32(body))
    (folder / f"{name}.bin").write_bytes(blob)
# Java writes an empty bitmap for every key below the highest one; here keys 0 (some positions) and 1 (none).
some = BitMap([2, 4])
body = b"\xd1\xd3\x39\x64" + struct.pack("<QI", 2, 0) + some.serialize() + struct.pack("<I", 1) + BitMap().serialize()
(folder / "empty-key.bin").write_bytes(struct.pack(">I", len(body)) + body + struct.pack(">I", zlib.crc32(body)))
