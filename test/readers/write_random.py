"""Writes random tables with PyIceberg, and says what PyIceberg reads in each of their snapshots: `write_random.py <request as JSON>`.

request: {folder, seeds: [number]}. Writes a JSON line a table into `tables.jsonl` of the folder: {seed, location: metadata file,
snapshots: {id: lines}, head: lines}, where lines are the rows in canonical form, by the schema of the snapshot or, of the head, by the
current one.
"""

import datetime
import json
import random
import sys
from decimal import Decimal

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import EqualTo, GreaterThan, LessThan, Or
from pyiceberg.schema import Schema
from pyiceberg.transforms import (
    BucketTransform,
    DayTransform,
    HourTransform,
    IdentityTransform,
    MonthTransform,
    TruncateTransform,
    YearTransform,
)
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FixedType,
    FloatType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

from canonical import canonical_lines

utc = datetime.timezone.utc
instants = [
    datetime.datetime(1969, 12, 31, 23, 59, 59, 999999),
    datetime.datetime(2024, 2, 29, 12, 0, 0, 1),
    datetime.datetime(2026, 1, 1),
]
times = [YearTransform(), MonthTransform(), DayTransform()]
exact = [IdentityTransform(), BucketTransform(3)]
# Types with a few values of each, and the partition transforms that take them.
POOLS = [
    (BooleanType(), [True, False], [IdentityTransform()]),
    (IntegerType(), [0, -1, 7, 2147483647, -2147483648], [*exact, TruncateTransform(10)]),
    (LongType(), [0, -1, 9007199254740993, -9223372036854775808], [*exact, TruncateTransform(10)]),
    (FloatType(), [0.5, -1.25, float("inf"), float("nan")], []),
    (DoubleType(), [0.1, -1e-7, float("-inf"), 1e300], []),
    (DateType(), [datetime.date(1969, 12, 31), datetime.date(2024, 2, 29)], [*exact, *times]),
    (TimeType(), [datetime.time(0), datetime.time(23, 59, 59, 999999)], []),
    (TimestampType(), instants, [*exact, *times, HourTransform()]),
    (TimestamptzType(), [at.replace(tzinfo=utc) for at in instants], [*exact, *times, HourTransform()]),
    (StringType(), ["", "a", "ünï", "\U0001f9ca\U0001f9cax", "long " * 8], [*exact, TruncateTransform(2)]),
    (UUIDType(), [bytes(16), bytes(range(16))], []),
    (BinaryType(), [b"", b"\x00", b"\xff\xff\x01"], []),
    (FixedType(3), [bytes(3), b"\xff\x01\x02"], []),
    (DecimalType(9, 2), [Decimal("0.00"), Decimal("-0.01"), Decimal("9999999.99")], [*exact, TruncateTransform(10)]),
    (DecimalType(38, 10), [Decimal("0E-10"), Decimal("1.2345678901")], [*exact]),
]
WIDER = {IntegerType(): LongType(), FloatType(): DoubleType(), DecimalType(9, 2): DecimalType(12, 2)}


class Life:
    """A table's life, which follows from the seed but for ids and times."""

    def __init__(self, catalog, seed):
        self.random = random.Random(seed)
        self.ids = 100
        fields = [NestedField(1, "id", LongType(), required=False)]
        for number in range(2, 4 + self.random.randrange(5)):
            fields.append(NestedField(number, f"c{number}", self.random.choice(POOLS)[0], required=False))
        fields += self.nested()
        version = str(self.random.choice([1, 2]))
        self.table = catalog.create_table(f"n.s{seed}", Schema(*fields), properties={"format-version": version})
        self.repartition()
        for step in [self.append, self.append, *self.random.choices(self.steps(), k=8)]:
            step()

    def steps(self):
        return [self.append, self.delete, self.delete, self.overwrite, self.evolve, self.evolve, self.repartition, self.tag]

    def nested(self):
        inner = StructType(
            NestedField(51, "x", IntegerType(), required=False), NestedField(52, "y", StringType(), required=False)
        )
        kinds = [
            NestedField(53, "st", inner, required=False),
            NestedField(54, "li", ListType(55, LongType(), element_required=False), required=False),
            NestedField(56, "ma", MapType(57, StringType(), 58, DateType(), value_required=False), required=False),
            NestedField(59, "ls", ListType(60, inner, element_required=False), required=False),
        ]
        return self.random.sample(kinds, self.random.randrange(4))

    def value(self, kind):
        if self.random.randrange(4) == 0:
            return None
        if isinstance(kind, StructType):
            return {field.name: self.value(field.field_type) for field in kind.fields}
        if isinstance(kind, ListType):
            return [self.value(kind.element_type) for _ in range(self.random.randrange(3))]
        if isinstance(kind, MapType):
            return [(key, self.value(kind.value_type)) for key in self.random.sample(["a", "ü", ""], self.random.randrange(3))]
        narrow = next((each for each, wide in WIDER.items() if wide == kind), kind)
        return self.random.choice(next(values for each, values, _ in POOLS if each in (kind, narrow)))

    def rows(self):
        made = []
        for _ in range(1 + self.random.randrange(8)):
            row = {field.name: self.value(field.field_type) for field in self.table.schema().fields}
            self.ids += 1
            made.append(row | {"id": self.ids})
        return pa.Table.from_pylist(made, schema=self.table.schema().as_arrow())

    def some(self):
        return self.random.choice(
            [
                EqualTo("id", 101 + self.random.randrange(self.ids - 100)),
                LessThan("id", 101 + self.random.randrange(4)),
                Or(GreaterThan("id", self.ids - 2), EqualTo("id", 102)),
            ]
        )

    def append(self):
        self.table.append(self.rows())

    def delete(self):
        self.table.delete(self.some())

    def overwrite(self):
        self.table.overwrite(self.rows(), overwrite_filter=self.some())

    def free(self):
        """Columns that no spec is about."""
        taken = {field.source_id for spec in self.table.specs().values() for field in spec.fields}
        return [field for field in self.table.schema().fields if field.field_id not in taken and field.name != "id"]

    def evolve(self):
        free, number = self.free(), self.table.schema().highest_field_id + 1
        wide = [field for field in free if field.field_type in WIDER]
        structs = [field for field in free if isinstance(field.field_type, StructType)]
        with self.table.update_schema() as update:
            choice = self.random.randrange(6)
            if choice == 0 and free:
                update.delete_column(self.random.choice(free).name)
            elif choice == 1 and free:
                update.rename_column(self.random.choice(free).name, f"r{number}")
            elif choice == 2 and wide:
                field = self.random.choice(wide)
                update.update_column(field.name, field_type=WIDER[field.field_type])
            elif choice == 3 and structs:
                name = self.random.choice(structs).name
                update.add_column((name, f"z{number}"), TimestampType())
                update.rename_column((name, "y"), f"y{number}") if any(
                    part.name == "y" for field in structs if field.name == name for part in field.field_type.fields
                ) else None
            elif choice == 4 and free:
                update.move_first(self.random.choice(free).name)
            else:
                update.add_column(f"a{number}", self.random.choice(POOLS)[0])

    def repartition(self):
        fields = [field for field in self.table.schema().fields if any(field.field_type == each for each, _, fit in POOLS if fit)]
        field = self.random.choice(fields)
        transform = self.random.choice(next(fit for each, _, fit in POOLS if each == field.field_type))
        present = {f"{each.source_id} {each.transform}" for each in self.table.spec().fields}
        names = {each.name for spec in self.table.specs().values() for each in spec.fields}
        with self.table.update_spec() as update:
            if self.table.spec().fields and self.random.randrange(2) == 0:
                update.remove_field(self.random.choice(self.table.spec().fields).name)
            elif not any(each.startswith(f"{field.field_id} ") for each in present):
                update.add_field(field.name, transform, f"p{len(names)}_{self.random.randrange(10**6)}")

    def tag(self):
        if snapshot := self.table.current_snapshot():
            name = f"t{self.random.randrange(10**6)}"
            self.table.manage_snapshots().create_tag(snapshot.snapshot_id, name).commit()


def main():
    request = json.loads(sys.argv[1])
    folder = request["folder"]
    catalog = SqlCatalog("random", uri=f"sqlite:///{folder}/catalog.sqlite", warehouse=f"file://{folder}")
    catalog.create_namespace("n")
    with open(f"{folder}/tables.jsonl", "w", encoding="utf-8") as told:
        for seed in request["seeds"]:
            table = Life(catalog, seed).table
            ids = [snapshot.snapshot_id for snapshot in table.snapshots()]
            found = {
                "seed": seed,
                "location": table.metadata_location,
                "snapshots": {str(id): canonical_lines(table.scan(snapshot_id=id).to_arrow()) for id in ids},
                "head": canonical_lines(table.scan().to_arrow()),
            }
            told.write(json.dumps(found, ensure_ascii=False) + "\n")


main()
