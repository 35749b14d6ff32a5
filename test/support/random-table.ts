import {
  type Catalog,
  currentSchema,
  currentSnapshot,
  type DataFile,
  deletedPositions,
  defaultSpec,
  type FileIO,
  type LiveFile,
  type LoadedTable,
  MemoryCatalog,
  must,
  type NestedField,
  openDataFileWriter,
  parsePartitionBy,
  partitionTuple,
  planSnapshot,
  type PrimitiveType,
  RoaringBitmap,
  type Schema,
  type SnapshotInput,
  type TableUpdate,
  tupleKey,
  type Value,
  writeDeletionVectors,
  writePositionDeletes,
} from "../../table-format/index.ts";
import { takesSource, type Transform } from "../../table-format/partition/transform.ts";
import { dataFile } from "../unit/table-format/data-file.ts";
import { canonicalCell } from "./canonical-cells.ts";
import type { Dice } from "./fuzz/mutate.ts";
import { newSnapshot } from "./new-snapshot.ts";
import { columnOf, type ModelRow, POOLS, randomValue, valueOf, WIDER } from "./random-values.ts";

/** What happens in a table's life, and what of the format it takes. */
export type Feature =
  | "format version 2"
  | "format version 3"
  | "position deletes"
  | "deletion vectors"
  | "equality deletes"
  | "equality deletes of a partition"
  | "columns added"
  | "columns dropped"
  | "columns renamed"
  | "columns widened"
  | "defaults"
  | "partition evolution"
  | "rewritten files"
  | "nanoseconds"
  | `transform ${Exclude<Transform["kind"], "other">}`;

/** A table of random columns that is written by this library, step by step, beside a plain model of its rows. */
export class RandomTable {
  readonly features = new Set<Feature>();
  /** Rows and schema of every snapshot. */
  readonly history = new Map<bigint, { readonly rows: readonly ModelRow[]; readonly schema: Schema }>();
  readonly #io: FileIO;
  readonly #dice: Dice;
  readonly #catalog: Catalog;
  readonly #ident = { namespace: ["ns"], name: "t" };
  table!: LoadedTable;
  #rows: ModelRow[] = [];
  #files = 0;
  #snapshots = 0;

  constructor(io: FileIO, location: string, dice: Dice) {
    this.#io = io;
    this.#dice = dice;
    let [nowMs, uuids] = [1_795_000_000_000, 0];
    this.#catalog = new MemoryCatalog("frazil", io, location, {
      nowMs: () => nowMs++,
      uuid: () => `00000000-0000-4000-8000-${String(uuids++).padStart(12, "0")}`,
    });
  }

  get #metadata() {
    return this.table.metadata;
  }

  /** Lives the table's life. */
  async live(): Promise<void> {
    const dice = this.#dice;
    const formatVersion = dice.pick([2, 3] as const);
    this.features.add(`format version ${formatVersion}`);
    // Equality deletes and some types keep engines from reading the rest.
    this.#byEquality = dice.below(2) === 0;
    this.#commonTypes = dice.below(3) > 0;
    await this.#create(formatVersion);
    await this.#change({ append: 4 + dice.below(12) });
    for (let left = 3 + dice.below(6); left > 0; left--) await this.#step();
  }

  async #step(): Promise<void> {
    const dice = this.#dice;
    switch (dice.below(10)) {
      case 0:
      case 1:
        return this.#change({ append: 1 + dice.below(10) });
      case 2:
      case 3:
        return this.#change({ byPosition: 1 + dice.below(4), append: dice.below(3) });
      case 4:
      case 5:
        return this.#change({
          [this.#byEquality ? "byEquality" : "byPosition"]: 1 + dice.below(3),
          append: dice.below(3),
        });
      case 6:
        return this.#rewrite();
      case 7:
        return this.#evolvePartition();
      default:
        return this.#evolveSchema();
    }
  }

  #newField(id: number): NestedField {
    const pools = POOLS.filter(
      ([{ kind }]) =>
        (this.#formatVersion === 3 || !kind.endsWith("_ns")) &&
        (!this.#commonTypes || (kind !== "time" && !kind.endsWith("_ns"))),
    );
    const [type] = this.#dice.pick(pools);
    if (type.kind.endsWith("_ns")) this.features.add("nanoseconds");
    return { id, name: this.#dice.below(2) === 0 ? `c${id}` : `c${id} ü`, required: false, type };
  }

  #formatVersion: 2 | 3 = 2;
  #byEquality = false;
  #commonTypes = false;

  async #create(formatVersion: 2 | 3): Promise<void> {
    this.#formatVersion = formatVersion;
    const columns = 2 + this.#dice.below(6);
    const fields: NestedField[] = [{ id: 1, name: "id", required: true, type: { kind: "long" } }];
    for (let i = 0; i < columns; i++) fields.push(this.#newField(i + 2));
    const schema: Schema = { schemaId: 0, fields, identifierFieldIds: [] };
    await this.#catalog.ensureNamespace(this.#ident.namespace);
    await this.#send(
      [{ type: "assert-create" }],
      [
        { action: "assign-uuid", uuid: "8a3c4d5e-0000-4000-8000-000000000001" },
        { action: "upgrade-format-version", formatVersion },
        { action: "add-schema", schema, lastColumnId: fields.length },
        { action: "set-current-schema", schemaId: -1 },
        { action: "add-spec", spec: parsePartitionBy(this.#partitionBy(schema), schema) },
        { action: "set-default-spec", specId: -1 },
        { action: "add-sort-order", sortOrder: { orderId: 0, fields: [] } },
        { action: "set-default-sort-order", sortOrderId: -1 },
        { action: "set-location", location: this.#catalog.defaultLocation(this.#ident) },
        { action: "set-properties", updates: new Map([["commit.manifest.min-count-to-merge", "3"]]) },
      ],
    );
  }

  /** None to two random transforms of different columns. */
  #partitionBy(schema: Schema): string[] {
    const dice = this.#dice;
    const sources = new Set<NestedField>();
    for (let left = dice.below(3); left > 0; left--) sources.add(dice.pick(schema.fields));
    return [...sources].flatMap((field) => {
      const type = field.type as PrimitiveType;
      const transforms: readonly Transform[] = [
        { kind: "identity" },
        { kind: "bucket", buckets: 3 },
        { kind: "truncate", width: 2 },
        { kind: "year" },
        { kind: "month" },
        { kind: "day" },
        { kind: "hour" },
      ];
      const fits = transforms.filter(
        (each) => takesSource(each, type) && !(each.kind === "identity" && /float|double/.test(type.kind)),
      );
      if (fits.length === 0) return [];
      const transform = dice.pick(fits);
      this.features.add(`transform ${transform.kind as "identity"}`);
      const argument =
        transform.kind === "bucket"
          ? `${transform.buckets}, `
          : transform.kind === "truncate"
            ? `${transform.width}, `
            : "";
      return [transform.kind === "identity" ? field.name : `${transform.kind}(${argument}${field.name})`];
    });
  }

  async #evolvePartition(): Promise<void> {
    const schema = currentSchema(this.#metadata);
    await this.#send(
      [],
      [
        { action: "add-spec", spec: parsePartitionBy(this.#partitionBy(schema), schema) },
        { action: "set-default-spec", specId: -1 },
      ],
    );
    this.features.add("partition evolution");
  }

  async #evolveSchema(): Promise<void> {
    const dice = this.#dice;
    const schema = currentSchema(this.#metadata);
    const { lastColumnId, partitionSpecs } = this.#metadata;
    const sources = new Set(partitionSpecs.flatMap((spec) => spec.fields.map(({ sourceId }) => sourceId)));
    const free = schema.fields.filter(({ id }) => id !== 1 && !sources.has(id));
    let fields = [...schema.fields];
    let last = lastColumnId;
    const replace = (field: NestedField, by: NestedField) =>
      (fields = fields.map((each) => (each === field ? by : each)));
    const choice = dice.below(4);
    const wide = free.filter(
      ({ type }) => WIDER[type.kind] !== undefined || (type.kind === "decimal" && type.precision < 38),
    );
    if (choice === 0 && free.length > 1) {
      const gone = dice.pick(free);
      fields = fields.filter((field) => field !== gone);
      this.features.add("columns dropped");
    } else if (choice === 1 && free.length > 0) {
      const field = dice.pick(free);
      replace(field, { ...field, name: `r${field.id}_${schema.schemaId}` });
      this.features.add("columns renamed");
    } else if (choice === 2 && wide.length > 0) {
      const field = dice.pick(wide);
      const type = field.type as PrimitiveType;
      replace(field, {
        ...field,
        type:
          type.kind === "decimal"
            ? { ...type, precision: type.precision + 7 > 38 ? 38 : type.precision + 7 }
            : must(WIDER[type.kind], "wider"),
      });
      this.features.add("columns widened");
    } else {
      const added = this.#newField(++last);
      const at = 1 + dice.below(fields.length);
      const hasDefault = (this.#formatVersion === 3 && added.type.kind === "long") || added.type.kind === "string";
      const value = added.type.kind === "long" ? 42n : "default";
      if (this.#formatVersion === 3 && hasDefault) this.features.add("defaults");
      fields.splice(
        at,
        0,
        this.#formatVersion === 3 && hasDefault ? { ...added, initialDefault: value, writeDefault: value } : added,
      );
      this.features.add("columns added");
    }
    const next: Schema = {
      schemaId: Math.max(...this.#metadata.schemas.map(({ schemaId }) => schemaId)) + 1,
      fields,
      identifierFieldIds: [],
    };
    await this.#send(
      [],
      [
        { action: "add-schema", schema: next, lastColumnId: last },
        { action: "set-current-schema", schemaId: -1 },
      ],
    );
  }

  /** Deletes rows and appends others, in one commit. */
  async #change(change: { append?: number; byPosition?: number; byEquality?: number }): Promise<void> {
    const dice = this.#dice;
    const schema = currentSchema(this.#metadata);
    const addedDeleteFiles: DataFile[] = [];
    const removedDeleteFiles: LiveFile[] = [];
    let rows = this.#rows;
    if (change.byPosition !== undefined && rows.length > 0) {
      const dead = new Set(Array.from({ length: change.byPosition }, () => dice.pick(rows)));
      await this.#deletePositions([...dead], addedDeleteFiles, removedDeleteFiles);
      rows = rows.filter((row) => !dead.has(row));
    }
    if (change.byEquality !== undefined && rows.length > 0) {
      rows = await this.#deleteEqual(rows, change.byEquality, schema, addedDeleteFiles);
    }
    const written = await this.#write(
      Array.from({ length: change.append ?? 0 }, () =>
        schema.fields.map((field) =>
          field.id === 1 ? BigInt(dice.below(1000)) : randomValue(field.type as PrimitiveType, dice),
        ),
      ),
      schema,
    );
    await this.#commit({ addedDataFiles: written.files, addedDeleteFiles, removedDataFiles: [], removedDeleteFiles });
    this.#remember([...rows, ...written.rows]);
  }

  async #deletePositions(dead: readonly ModelRow[], added: DataFile[], removed: LiveFile[]): Promise<void> {
    const plan = await planSnapshot(this.#io, this.#metadata, must(currentSnapshot(this.#metadata), "a snapshot"));
    const vectors: { dataFile: DataFile; bitmap: RoaringBitmap }[] = [];
    for (const [path, rows] of Map.groupBy(dead, (row) => row.path)) {
      const { file } = must(
        plan.dataFiles.find((each) => each.file.filePath === path),
        "a data file",
      );
      const deletes = plan.deletes.get(path) ?? [];
      const bitmap = RoaringBitmap.from(rows.map(({ position }) => position).toSorted((a, b) => a - b));
      if (this.#formatVersion === 2) {
        added.push(await writePositionDeletes(this.#io, this.#name("parquet"), file, bitmap));
        this.features.add("position deletes");
      } else {
        vectors.push({ dataFile: file, bitmap: bitmap.union(await deletedPositions(this.#io).of(file, deletes)) });
        removed.push(...deletes);
        this.features.add("deletion vectors");
      }
    }
    if (vectors.length > 0) added.push(...(await writeDeletionVectors(this.#io, this.#name("puffin"), vectors)));
  }

  /** Deletes the rows of a partition, or of the table, that are equal to some rows in some columns. */
  async #deleteEqual(rows: readonly ModelRow[], count: number, schema: Schema, added: DataFile[]): Promise<ModelRow[]> {
    const dice = this.#dice;
    const keyed = schema.fields.filter(({ type }) => type.kind !== "float" && type.kind !== "double");
    const keys = [...new Set([dice.pick(keyed), dice.pick(keyed)])];
    const keyOf = (row: ModelRow) =>
      JSON.stringify(keys.map((field) => canonicalCell(field.type, valueOf(row, field))));
    const global = this.#metadata.partitionSpecs.find(({ fields }) => fields.length === 0);
    const wanted = Array.from({ length: count }, () => dice.pick(rows));
    const plan = await planSnapshot(this.#io, this.#metadata, must(currentSnapshot(this.#metadata), "a snapshot"));
    const groups =
      global === undefined || dice.below(2) === 0
        ? Map.groupBy(wanted, (row) => row.partition)
        : new Map([["", wanted]]);
    let left = [...rows];
    for (const [partition, members] of groups) {
      const { file } = must(
        plan.dataFiles.find((each) => each.file.filePath === members[0]?.path),
        "a data file",
      );
      const spec =
        partition === ""
          ? must(global, "a spec")
          : must(
              this.#metadata.partitionSpecs.find(({ specId }) => specId === file.specId),
              "a spec",
            );
      const everywhere = spec.fields.length === 0;
      const keySchema: Schema = {
        schemaId: 0,
        fields: keys.map((field) => ({ ...field, required: false })),
        identifierFieldIds: [],
      };
      const columns = keys.map((field) =>
        columnOf(
          field.type as PrimitiveType,
          members.map((row) => valueOf(row, field)),
        ),
      );
      const encoded = await this.#encode(keySchema, columns, members.length);
      added.push(
        dataFile({
          ...encoded,
          content: "equality-deletes",
          specId: spec.specId,
          partition: everywhere ? [] : file.partition,
          equalityIds: keys.map(({ id }) => id),
        }),
      );
      const gone = new Set(members.map(keyOf));
      left = left.filter((row) => !(gone.has(keyOf(row)) && (everywhere || row.partition === partition)));
      this.features.add(everywhere ? "equality deletes" : "equality deletes of a partition");
    }
    return left;
  }

  /** Rewrites some files with the rows that they still have. */
  async #rewrite(): Promise<void> {
    const snapshot = must(currentSnapshot(this.#metadata), "a snapshot");
    const plan = await planSnapshot(this.#io, this.#metadata, snapshot);
    if (plan.dataFiles.length === 0) return;
    const chosen = new Map(
      [this.#dice.pick(plan.dataFiles), this.#dice.pick(plan.dataFiles)].map((live) => [live.file.filePath, live]),
    );
    const schema = currentSchema(this.#metadata);
    const moved = this.#rows.filter(({ path }) => chosen.has(path));
    const written = await this.#write(
      moved.map((row) => schema.fields.map((field) => valueOf(row, field))),
      schema,
    );
    await this.#commit({
      addedDataFiles: written.files,
      removedDataFiles: [...chosen.values()],
      addedDeleteFiles: [],
      removedDeleteFiles: [],
    });
    this.#remember([...this.#rows.filter(({ path }) => !chosen.has(path)), ...written.rows]);
    this.features.add("rewritten files");
  }

  #remember(rows: ModelRow[]): void {
    this.#rows = rows;
    this.history.set(must(this.#metadata.currentSnapshotId, "a snapshot"), {
      rows,
      schema: currentSchema(this.#metadata),
    });
  }

  async #write(rows: readonly (Value | null)[][], schema: Schema): Promise<{ files: DataFile[]; rows: ModelRow[] }> {
    const spec = defaultSpec(this.#metadata);
    const types = schema.fields.map(({ type }) => type as PrimitiveType);
    const columnsOf = (some: readonly (Value | null)[][]) =>
      types.map((type, k) =>
        columnOf(
          type,
          some.map((row) => row[k] ?? null),
        ),
      );
    const tupleOf = (row: (Value | null)[]) => partitionTuple(spec, schema, columnsOf([row]), 0);
    const files: DataFile[] = [];
    const model: ModelRow[] = [];
    for (const group of Map.groupBy(rows, (row) => tupleKey(tupleOf(row))).values()) {
      const partition = tupleOf(must(group[0], "a row"));
      const encoded = await this.#encode(schema, columnsOf(group), group.length);
      files.push(dataFile({ ...encoded, specId: spec.specId, partition }));
      group.forEach((row, position) =>
        model.push({
          values: new Map(schema.fields.map(({ id }, k) => [id, row[k] ?? null])),
          types: new Map(schema.fields.map(({ id }, k) => [id, must(types[k], "a type")])),
          path: encoded.filePath,
          position,
          partition: `${spec.specId} ${tupleKey(partition)}`,
        }),
      );
    }
    return { files, rows: model };
  }

  async #encode(schema: Schema, columns: ReturnType<typeof columnOf>[], length: number) {
    const filePath = this.#name("parquet");
    const writer = openDataFileWriter({ schema, output: await this.#io.openWrite(filePath) });
    await writer.write({ length, columns });
    return { filePath, ...(await writer.finish()) };
  }

  #name(extension: string): string {
    return `${this.#metadata.location}/data/${++this.#files}.${extension}`;
  }

  async #commit(
    files: Pick<SnapshotInput, "addedDataFiles" | "removedDataFiles" | "addedDeleteFiles" | "removedDeleteFiles">,
  ): Promise<void> {
    const { currentSnapshotId } = this.#metadata;
    const snapshotId = 8_000_000_000_000_000_000n + BigInt(++this.#snapshots);
    await this.#send(
      [{ type: "assert-ref-snapshot-id", ref: "main", snapshotId: currentSnapshotId }],
      await newSnapshot(this.#io, this.#metadata, { ...files, snapshotId }),
    );
  }

  async #send(
    requirements: Parameters<Catalog["commit"]>[0][number]["requirements"],
    updates: readonly TableUpdate[],
  ): Promise<void> {
    const outcome = await this.#catalog.commit([{ ident: this.#ident, requirements, updates }]);
    if (outcome.outcome !== "committed")
      throw new Error(
        `the commit failed: ${JSON.stringify(outcome, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v))}`,
      );
    this.table = must(outcome.tables[0], "a table");
  }
}
