"""Writes the sketches of this folder with Apache DataSketches: pip install datasketches==5.2.0; python make.py"""

import pathlib

import datasketches

here = pathlib.Path(__file__).parent


def text(i):
    return f"value number {i}" + "x" * (i % 40)


def write(name, values, lg_k=12):
    sketch = datasketches.update_theta_sketch(lg_k=lg_k)
    for value in values:
        sketch.update(value)
    (here / f"{name}.bin").write_bytes(sketch.compact().serialize())


write("empty", [])
write("one", [7])
write("longs", [7 * i - 100 for i in range(300)])
write("texts", [text(i) for i in range(300)])
# A smaller sketch of more values: theta is below its maximum.
write("estimated", [text(i) for i in range(20000)], lg_k=7)
