import {
  currentSchema,
  currentSnapshot,
  type FileIO,
  isPrimitive,
  must,
  planSnapshot,
  type PrimitiveType,
  type TableMetadata,
} from "../../../table-format/index.ts";

export type Engine = "pyiceberg" | "spark" | "duckdb";

/** What of a table decides who reads it. */
interface Facts {
  readonly kinds: ReadonlySet<PrimitiveType["kind"]>;
  /** Of the columns of every schema, the current one or not. */
  readonly everKinds: ReadonlySet<PrimitiveType["kind"]>;
  /** Of the columns that live equality deletes compare. */
  readonly keyKinds: ReadonlySet<PrimitiveType["kind"]>;
  /** An equality delete compares a column that was dropped since. */
  readonly droppedKey: boolean;
  /** Of the columns whose identity some spec has. */
  readonly identityKinds: ReadonlySet<PrimitiveType["kind"]>;
}

/** A part of the format that an engine does not read. */
export interface Gap {
  /** As the matrix prints it. */
  readonly why: string;
  readonly applies: (facts: Facts) => boolean;
  /** What the engine says when it is asked; null where it is not asked, because it says nothing. */
  readonly says: RegExp | null;
}

const hasKeys = ({ keyKinds }: Facts): boolean => keyKinds.size > 0;

/** Of PyIceberg 0.12.0, Spark 4.0.1 with Iceberg 1.11.0, and DuckDB 1.5.5; the first that applies counts. */
const GAPS: Readonly<Record<Engine, readonly Gap[]>> = {
  pyiceberg: [
    {
      why: "refuses identity partitions of nanoseconds",
      applies: ({ identityKinds }) => identityKinds.has("timestamp_ns") || identityKinds.has("timestamptz_ns"),
      // Or what of the others it meets first.
      says: /Unknown logical\/physical type combination: .*timestamp-nanos|does not yet support equality deletes/,
    },
    {
      why: "refuses equality deletes",
      applies: hasKeys,
      says: /does not yet support equality deletes/,
    },
  ],
  spark: [
    {
      why: "refuses columns of type time",
      applies: ({ kinds }) => kinds.has("time"),
      says: /Cannot convert unknown type to Spark: time|UnsupportedOperationException.*time/s,
    },
    {
      why: "refuses columns of nanoseconds",
      applies: ({ kinds }) => kinds.has("timestamp_ns") || kinds.has("timestamptz_ns"),
      says: /timestamp(tz)?_ns/,
    },
    {
      why: "fails at identity partitions of type fixed",
      applies: ({ identityKinds }) => identityKinds.has("fixed"),
      says: /EOFException|Malformed data|Length is negative|AvroRuntimeException|Cannot read|read error/,
    },
    {
      why: "refuses equality deletes by a dropped column",
      applies: ({ droppedKey }) => droppedKey,
      says: /Cannot find|Missing required field|ValidationException|NullPointerException/,
    },
    {
      why: "not asked: other rows with equality deletes by uuid or fixed",
      applies: ({ keyKinds }) => keyKinds.has("uuid") || keyKinds.has("fixed"),
      says: null,
    },
  ],
  duckdb: [
    {
      why: "not asked: internal errors, crashes and missing rows at equality deletes",
      applies: hasKeys,
      says: null,
    },
    {
      why: "refuses timestamptz_ns, also in schemas of the past",
      applies: ({ everKinds }) => everKinds.has("timestamptz_ns"),
      says: /Unrecognized primitive type: timestamptz_ns/,
    },
  ],
};

/** What keeps an engine from reading a table's newest snapshot, or null. */
export async function gapOf(engine: Engine, io: FileIO, metadata: TableMetadata): Promise<Gap | null> {
  const facts = await factsOf(io, metadata);
  return GAPS[engine].find(({ applies }) => applies(facts)) ?? null;
}

async function factsOf(io: FileIO, metadata: TableMetadata): Promise<Facts> {
  const { equalityDeletes } = await planSnapshot(io, metadata, must(currentSnapshot(metadata), "a snapshot"));
  const types = new Map(metadata.schemas.flatMap(({ fields }) => fields.map(({ id, type }) => [id, type.kind])));
  const kindOf = (id: number) => must(types.get(id), "a column") as PrimitiveType["kind"];
  const { fields } = currentSchema(metadata);
  const present = new Set(fields.map(({ id }) => id));
  const keys = new Set(equalityDeletes.flatMap(({ file }) => file.equalityIds ?? []));
  const kindsOf = (some: typeof fields) =>
    new Set(
      some
        .map(({ type }) => type)
        .filter(isPrimitive)
        .map(({ kind }) => kind),
    );
  const identities = metadata.partitionSpecs.flatMap((spec) =>
    spec.fields.filter((each) => each.transform === "identity"),
  );
  return {
    kinds: kindsOf(fields),
    everKinds: kindsOf(metadata.schemas.flatMap((schema) => schema.fields)),
    keyKinds: new Set([...keys].map(kindOf)),
    droppedKey: [...keys].some((id) => !present.has(id)),
    identityKinds: new Set(identities.map(({ sourceId }) => kindOf(sourceId))),
  };
}
