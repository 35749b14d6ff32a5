import {
  applyUpdates,
  type CommitOutcome,
  currentSnapshot,
  type LoadedTable,
  type RestCatalog,
  type RestFetch,
  type TableIdent,
  type TableRequirement,
  type TableUpdate,
} from "../../table-format/index.ts";
import { FrazilError, must } from "../core/errors.ts";
import {
  ATTEMPTS,
  holds,
  inTrial,
  notDone,
  refAt,
  SUMMARY,
  TAG,
  tagTo,
  type Trial,
  type TrialEnd,
  type TriedCatalog,
} from "./rest-trial.ts";

/** One thing that exactly-once rests on in a REST catalog. */
export interface CatalogProbe {
  readonly name: string;
  /** What the catalog promises. */
  readonly promise: string;
  /** Whether it matters only while a table is being created by several processes at the same moment. */
  readonly onlyNewTables: boolean;
  /** @throws FrazilError kind `config` where the promise is broken, `unavailable` where the catalog does not answer */
  run(catalog: TriedCatalog, rounds?: number): Promise<TrialEnd>;
}

/** Clients that race: enough that a server which checks and commits in two steps lets several win. */
const CLIENTS = 8;

/** Races of `frazil check`; a start runs one. */
const ROUNDS = 10;

/** A start has fewer clients, as each asks for the configuration, and mostly for a token. */
const START_CLIENTS = 4;

/** A server that is busy with all of several racing commits may turn all of them away: then the race is run again. */
const RACES = 3;

/** Everything that a REST catalog is tried for by `frazil check`, in order. Each removes what it made. */
export const CATALOG_PROBES: readonly CatalogProbe[] = [
  probe("swap", "of several commits on one state of a table one wins, and stays", async (trial, rounds) => {
    const ident = await tableOf(trial);
    for (let round = 0; round < rounds; round++) await probeSwap(trial, ident, CLIENTS);
    return `${rounds} times ${CLIENTS} racing commits: exactly one wins`;
  }),
  probe("asserts", "a commit whose tag, branch, table or schema is another by now does nothing", async (trial) => {
    const ident = await tableOf(trial);
    for (const stale of STALE) await probeStale(trial, ident, stale);
    await probeOtherTable(trial, ident);
    return `${STALE.length + 1} asserts that no longer hold: each refused`;
  }),
  probe("reads", "what was committed is what is read next, as it was sent", async (trial, rounds) => {
    const ident = await tableOf(trial);
    for (let round = 0; round < rounds; round++) await probeRead(trial, ident);
    return `${rounds} commits, each read by another client at once`;
  }),
  probe("repeats", "a commit that comes twice, or late, takes effect once", async (trial) => {
    const ident = await tableOf(trial);
    for (let round = 0; round < RACES; round++) await probeRepeat(trial, ident);
    return "requests that were sent again at once and behind a later commit";
  }),
  {
    ...probe("creation", "of several creations of one table one wins, and stays", async (trial, rounds) => {
      for (let round = 0; round < rounds; round++) await probeCreation(trial, trial.ident(`probe_${round}`));
      return `${rounds} times ${CLIENTS} clients that create one table: exactly one wins`;
    }),
    onlyNewTables: true,
  },
];

/**
 * Tries, with a few small requests in a namespace of its own, what each commit of a job rests on: that a tag which has moved refuses an older
 * process, and that of racing commits one wins.
 *
 * @throws FrazilError kind `config`, codes `CATALOG_ASSERTS`, `CATALOG_SWAP`, `CATALOG_COMMIT`, `CATALOG_READS`
 */
export function probeCatalogAtStart(catalog: TriedCatalog): Promise<TrialEnd> {
  return inTrial(catalog, async (trial) => {
    const ident = await tableOf(trial);
    await probeStale(trial, ident, STALE_TAG);
    await probeSwap(trial, ident, START_CLIENTS);
    return "a stale tag refused, one winner of a race";
  });
}

/**
 * Whether commits over several tables are all or nothing, as far as races show it. Jobs do not rest on it: they commit table by table.
 *
 * @returns null where the catalog offers no such commits
 * @throws FrazilError kind `config`, code `CATALOG_TRANSACTIONS`, where one took effect in part
 */
export async function probeTransactions(catalog: TriedCatalog, rounds: number = ROUNDS): Promise<TrialEnd | null> {
  try {
    return await inTrial(catalog, async (trial) => {
      const [a, b] = [await tableOf(trial, "probe_a"), await tableOf(trial, "probe_b")];
      await probeStalePart(trial, a, b);
      for (let round = 0; round < rounds; round++) await probeTorn(trial, a, b);
      return `a stale table kept the other one as it was; all or nothing in ${rounds} races`;
    });
  } catch (error) {
    if (error instanceof FrazilError && error.code === "ONE_TABLE_ONLY") return null;
    throw error;
  }
}

type Attempt = (trial: Trial, rounds: number) => Promise<string>;

function probe(name: string, promise: string, attempt: Attempt): CatalogProbe {
  const run: CatalogProbe["run"] = (catalog, rounds = ROUNDS) => inTrial(catalog, (trial) => attempt(trial, rounds));
  return { name, promise, onlyNewTables: false, run };
}

async function tableOf(trial: Trial, name = "probe"): Promise<TableIdent> {
  const ident = trial.ident(name);
  await trial.create(ident);
  return ident;
}

async function probeSwap(trial: Trial, ident: TableIdent, count: number): Promise<void> {
  const expected = `1 winner of ${count} commits on one state`;
  for (let race = 1; race <= RACES; race++) {
    const racers = (await trial.clients(count, ident)).map((racer) => ({ ...racer, id: trial.snapshotId() }));
    const outcomes = await Promise.all(racers.map(({ client, base, id }) => client.commit([trial.commitOn(base, id)])));
    const after = await trial.now(ident);
    const told = racers.filter((_, index) => outcomes[index]?.outcome === "committed");
    const held = racers.filter(({ id }) => holds(after, id));
    if (told.length > 1) throw failed("CATALOG_SWAP", expected, `${told.length}`);
    if (held.length > 1) throw failed("CATALOG_SWAP", expected, `${held.length} that are in the table`);
    const [lost] = told.filter(({ id }) => !holds(after, id));
    if (lost !== undefined) throw failed("CATALOG_SWAP", "a commit that succeeded in the table", "none of it");
    const [winner] = held;
    if (winner === undefined) {
      const refused = must(outcomes[0], "there are racers") as Exclude<CommitOutcome, { outcome: "committed" }>;
      if (race === RACES) throw notDone(`take one of ${count} commits`, refused);
      continue;
    }
    if (headsOf(after).some((id) => id !== winner.id)) {
      throw failed("CATALOG_SWAP", "main and the tag at the winner's snapshot", headsOf(after).join(" and "));
    }
    return;
  }
}

function headsOf({ metadata }: LoadedTable): (bigint | null)[] {
  return ["main", TAG].map((ref) => metadata.refs.get(ref)?.snapshotId ?? null);
}

/** What a commit asserts of a table, and what makes it untrue meanwhile. Nothing else of the table changes, so nothing else can refuse the commit. */
interface Stale {
  readonly what: string;
  meanwhile(table: LoadedTable): readonly TableUpdate[];
  asserts(table: LoadedTable): TableRequirement;
}

/** As by a process that took the pipeline over: the fence. */
const STALE_TAG: Stale = {
  what: "the tag at a snapshot where it no longer is",
  meanwhile: (table) => [tagTo(TAG, parentOf(table))],
  asserts: ({ metadata }) => refAt(metadata, TAG),
};

const OTHER_TAG = `${TAG}-two`;

const STALE: readonly Stale[] = [
  STALE_TAG,
  {
    // As by a rollback.
    what: "main at a snapshot where it no longer is",
    meanwhile: (table) => [
      { action: "set-snapshot-ref", name: "main", ref: { type: "branch", snapshotId: parentOf(table) } },
    ],
    asserts: ({ metadata }) => refAt(metadata, "main"),
  },
  {
    what: "that there is no tag where there is one",
    meanwhile: (table) => [tagTo(OTHER_TAG, headOf(table))],
    asserts: ({ metadata }) => refAt(metadata, OTHER_TAG),
  },
  {
    what: "the current schema where it is another",
    meanwhile: columnAdded,
    asserts: ({ metadata: { currentSchemaId } }) => ({ type: "assert-current-schema-id", currentSchemaId }),
  },
  {
    what: "the last column id where it is another",
    meanwhile: columnAdded,
    asserts: ({ metadata: { lastColumnId } }) => ({
      type: "assert-last-assigned-field-id",
      lastAssignedFieldId: lastColumnId,
    }),
  },
];

function columnAdded({ metadata }: LoadedTable): TableUpdate[] {
  const { schemas, currentSchemaId, lastColumnId } = metadata;
  const schema = must(
    schemas.find(({ schemaId }) => schemaId === currentSchemaId),
    "the current schema is there",
  );
  const id = lastColumnId + 1;
  const fields = [...schema.fields, { id, name: `more_${id}`, required: false, type: { kind: "long" } as const }];
  return [
    { action: "add-schema", schema: { ...schema, fields }, lastColumnId: id },
    { action: "set-current-schema", schemaId: -1 },
  ];
}

async function probeStale(trial: Trial, ident: TableIdent, stale: Stale): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    await advance(trial, ident);
    const older = await trial.client(ident);
    await trial.commitAlone(
      ident,
      (base) => {
        const uuid = { type: "assert-table-uuid", uuid: base.metadata.tableUuid } as const;
        return { ident, requirements: [uuid], updates: stale.meanwhile(base) };
      },
      // One that took effect without an answer is made once more.
      () => false,
    );
    const id = trial.snapshotId();
    const outcome = await older.client.commit([trial.commitOn(older.base, id, [stale.asserts(older.base)])]);
    if (outcome.outcome === "committed" || holds(await trial.now(ident), id)) {
      throw failed("CATALOG_ASSERTS", `no effect of a commit that asserts ${stale.what}`, "that it took effect");
    }
    if (outcome.outcome === "conflict") return;
    // Without an answer it may never have come to the assert.
    if (attempt === ATTEMPTS) throw notDone(`refuse a commit that asserts ${stale.what}`, outcome);
  }
}

/** The table has been dropped and made anew under its name: what a client knew of the old one is not to reach the new one. */
async function probeOtherTable(trial: Trial, ident: TableIdent): Promise<void> {
  const { client, base } = await trial.client(ident);
  await trial.catalog.dropTable(ident, false);
  await trial.create(ident);
  const uuid = { type: "assert-table-uuid", uuid: base.metadata.tableUuid } as const;
  const marked = { action: "set-properties", updates: new Map([["frazil.probe", "late"]]) } as const;
  const outcome = await client.commit([{ ident, requirements: [uuid], updates: [marked] }]);
  const after = await trial.now(ident);
  if (outcome.outcome === "committed" || after.metadata.properties.has("frazil.probe")) {
    throw failed("CATALOG_ASSERTS", "no effect of a commit to a table that was made anew", "that it took effect");
  }
}

async function probeRead(trial: Trial, ident: TableIdent): Promise<void> {
  const id = trial.snapshotId();
  const { base, change } = await trial.commitAlone(
    ident,
    (table) => trial.commitOn(table, id),
    (now) => holds(now, id),
  );
  const sent = applyUpdates(base.metadata, change.updates, { nowMs: 0n, previousMetadataLocation: null });
  const { metadata } = await trial.now(ident);
  const [wanted, found] = [must(currentSnapshot(sent), "just added"), currentSnapshot(metadata)];
  const told = (text: string | undefined): string => text ?? "none";
  for (const [what, expected, now] of [
    ["current snapshot", String(wanted.snapshotId), told(found?.snapshotId.toString())],
    ["parent of the snapshot", String(wanted.parentSnapshotId), told(found?.parentSnapshotId?.toString())],
    ["sequence number", String(wanted.sequenceNumber), told(found?.sequenceNumber.toString())],
    ["manifest list", wanted.manifestList, told(found?.manifestList)],
    ...[...SUMMARY].map(([key, value]) => [`${key} in the summary`, value, told(found?.summary.get(key))] as const),
    ["tag", refText(sent, TAG), refText(metadata, TAG)],
  ] as const) {
    if (expected !== now) throw failed("CATALOG_READS", `${expected} as ${what}`, now);
  }
}

function refText({ refs }: LoadedTable["metadata"], name: string): string {
  const ref = refs.get(name);
  return ref === undefined ? "none" : `${ref.type} ${ref.snapshotId}, kept for ${ref.maxRefAgeMs} ms`;
}

/** The request is sent again at once, as by a proxy that has lost the answer, and once more when the table has moved on. */
async function probeRepeat(trial: Trial, ident: TableIdent): Promise<void> {
  let again: (() => Promise<unknown>) | null = null;
  const twice =
    (fetch: RestFetch): RestFetch =>
    async (url, init) => {
      const send = async () => fetch(url, init);
      if (init.method !== "POST" || !url.endsWith(`/tables/${ident.name}`)) return send();
      again = async () => (await send()).text();
      await again();
      return send();
    };
  const { client, base } = await trial.client(ident, twice);
  const id = trial.snapshotId();
  const outcome = await client.commit([trial.commitOn(base, id)]);
  const once = await trial.now(ident);
  const count = once.metadata.snapshots.length - base.metadata.snapshots.length;
  if (!holds(once, id) || headOf(once) !== id || count !== 1) {
    throw failed("CATALOG_REPEATS", "one snapshot of a commit that was sent twice", `${count}`);
  }
  if (outcome.outcome === "conflict") {
    throw failed("CATALOG_REPEATS", "a commit that was sent twice and took effect to be told so", outcome.message);
  }
  const head = await advance(trial, ident);
  const late = again as (() => Promise<unknown>) | null;
  await late?.();
  const after = await trial.now(ident);
  if (headOf(after) !== head || after.metadata.snapshots.length !== once.metadata.snapshots.length + 1) {
    const found = `main at ${headOf(after)}`;
    throw failed("CATALOG_REPEATS", `no effect of a request that came late: main at ${head}`, found);
  }
}

async function probeCreation(trial: Trial, ident: TableIdent): Promise<void> {
  const expected = `1 winner of ${CLIENTS} clients that create one table`;
  const changes = await Promise.all(trial.strangers(CLIENTS).map((client) => creationBy(trial, ident, client)));
  const outcomes = await Promise.all(changes.map(({ client, change }) => client.commit([change])));
  const told = changes.filter((_, index) => outcomes[index]?.outcome === "committed");
  if (told.length > 1) throw failed("CATALOG_CREATION", expected, `${told.length}`, CREATION_HINT);
  const after = await trial.now(ident);
  const [winner] = told;
  if (winner !== undefined && headOf(after) !== winner.id) {
    throw failed("CATALOG_CREATION", "the table of the client that was told it created it", "another", CREATION_HINT);
  }
}

async function creationBy(trial: Trial, ident: TableIdent, client: RestCatalog) {
  const id = trial.snapshotId();
  const change = await trial.creation(ident, id);
  // So that the race is for the table, not for the configuration.
  await client.loadTable(ident);
  return { client, id, change };
}

/** The second table of a commit has moved on: the first one is to stay as it was. */
async function probeStalePart(trial: Trial, a: TableIdent, b: TableIdent): Promise<void> {
  const { client, base } = await trial.client(a, undefined, true);
  const other = must(await client.loadTable(b), "made before");
  await advance(trial, b);
  const [idA, idB] = [trial.snapshotId(), trial.snapshotId()];
  const outcome = await client.commit([trial.commitOn(base, idA), trial.commitOn(other, idB)]);
  const [nowA, nowB] = [await trial.now(a), await trial.now(b)];
  if (outcome.outcome !== "committed" && !holds(nowA, idA) && !holds(nowB, idB)) return;
  throw failed("CATALOG_TRANSACTIONS", "no effect of a commit over two tables of which one is stale", "some");
}

/** A commit over two tables against one to the second alone. */
async function probeTorn(trial: Trial, a: TableIdent, b: TableIdent): Promise<void> {
  const both = await trial.client(a, undefined, true);
  const second = must(await both.client.loadTable(b), "made before");
  const alone = await trial.client(b);
  const [idA, idB] = [trial.snapshotId(), trial.snapshotId()];
  const [outcome] = await Promise.all([
    both.client.commit([trial.commitOn(both.base, idA), trial.commitOn(second, idB)]),
    alone.client.commit([trial.commitOn(alone.base, trial.snapshotId())]),
  ]);
  const found = [holds(await trial.now(a), idA), holds(await trial.now(b), idB)];
  if (found[0] === found[1] && (outcome.outcome !== "committed" || found[0] === true)) return;
  throw failed(
    "CATALOG_TRANSACTIONS",
    "both tables of a commit or none",
    `${found.filter(Boolean).length} of them, told ${outcome.outcome}`,
  );
}

/** A commit as a pipeline's, that nobody races. @returns its snapshot */
async function advance(trial: Trial, ident: TableIdent): Promise<bigint> {
  const id = trial.snapshotId();
  await trial.commitAlone(
    ident,
    (base) => trial.commitOn(base, id),
    (now) => holds(now, id),
  );
  return id;
}

function headOf({ metadata }: LoadedTable): bigint {
  return must(metadata.currentSnapshotId, "made with a snapshot");
}

function parentOf({ metadata }: LoadedTable): bigint {
  return must(currentSnapshot(metadata)?.parentSnapshotId, "advanced before");
}

const CREATION_HINT =
  "start a new job in one process, and others of it when its tables are there; or use another catalog (docs/catalogs.md)";

function failed(code: string, expected: string, found: string, hint?: string): FrazilError {
  return new FrazilError("config", code, `expected ${expected}, found ${found}`, {
    hint: hint ?? "changes could be lost or doubled: use another catalog (docs/catalogs.md)",
  });
}
