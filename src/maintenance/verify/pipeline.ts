import { snapshotById } from "../../../table-format/index.ts";
import { tableKey } from "../../commit/find-pipeline.ts";
import { ledgerLocation } from "../../commit/names.ts";
import {
  type PipelinePlace,
  type PipelineState,
  type PipelineTable,
  readPipeline,
} from "../../commit/read-pipeline.ts";
import { type PutBack, putBack, putBackAlone, waysOut } from "../../commit/put-back.ts";
import { readStamp } from "../../commit/stamp.ts";
import { FrazilError } from "../../core/errors.ts";
import type { Position } from "../../core/position.ts";
import type { Source } from "../../core/source.ts";
import type { CheckName, Finding } from "./finding.ts";
import { backwards } from "./history.ts";

type Compare = Source["comparePoints"];

/**
 * What a pipeline notes of its tables against the tables: the ledger (where they are committed one by one) or the claims. Read twice where
 * something is wrong, since the job may be in the middle of a step: only what is wrong both times is told.
 *
 * @param compare orders the points of a split
 */
export async function verifyPipeline(place: PipelinePlace, compare: Compare): Promise<Finding[]> {
  const first = await lookOnce(place, compare);
  if (first.length === 0) return first;
  const again = new Set((await lookOnce(place, compare)).map(({ object, expected }) => `${object}\n${expected}`));
  return first.filter(({ object, expected }) => again.has(`${object}\n${expected}`));
}

async function lookOnce(place: PipelinePlace, compare: Compare): Promise<Finding[]> {
  const tell = teller(place);
  let state: PipelineState;
  try {
    state = await readPipeline(place);
  } catch (error) {
    if (!(error instanceof FrazilError)) throw error;
    if (error.code === "LEDGER_CORRUPT") {
      return [tell("the ledger", "a ledger that can be read", error.message, repairHint(null))];
    }
    if (error.kind !== "not-found" && error.kind !== "corrupt") throw error;
    return [
      tell("its tables", "tables that can be loaded", error.message, "see what frazil verify says of that table"),
    ];
  }
  // Nobody has ever committed: a start that ended before its first table.
  if (state.tables.length === 0 && state.anchor === null) return [];
  const { atomicAcrossTables } = place.catalog;
  return [
    ...verifyAnchor(place, state, compare, tell),
    ...(place.catalog.claims ? await verifyClaims(place, state, tell) : []),
    ...(atomicAcrossTables ? verifyNotes(place, state, tell) : verifyLedger(place, state, compare, tell)),
  ];
}

type Tell = (object: string, expected: string, found: string, hint: string) => Finding;

function teller({ catalog, pipeline, warehouseLocation }: PipelinePlace): Tell {
  const check: CheckName = "ledger";
  const where = catalog.claims ? `claims of ${pipeline}` : ledgerLocation(warehouseLocation, pipeline);
  return (object, expected, found, hint) => ({
    check,
    table: pipeline,
    object: `${where}: ${object}`,
    expected,
    found,
    hint,
  });
}

function repairHint(table: PipelineTable | null): string {
  return `frazil repair ${table?.name ?? "<table>"} writes it anew from the tables' tags`;
}

/** The anchor is there, under the highest epoch, and where one commit spans all tables none of them is ahead of it. */
function verifyAnchor(
  { catalog, pipeline }: PipelinePlace,
  { anchor, tables }: PipelineState,
  compare: Compare,
  tell: Tell,
): Finding[] {
  const [first = null] = tables;
  if (anchor === null) {
    // A ledger that is gone is told as such.
    if (!catalog.claims) return [];
    return [tell("the anchor", `the name of the anchor table of ${pipeline}`, "none", repairHint(first))];
  }
  const found = tables.find(({ name }) => name === anchor);
  if (found === undefined) {
    // Named before it was created.
    if (tables.length === 0 && !catalog.claims) return [];
    const hint = "restore the table; without it the job does not know where it is";
    return [tell("the anchor", `table ${anchor} with the tag of ${pipeline}`, "no such table", hint)];
  }
  const { tagged } = found;
  if (tagged === null) return [];
  return tables.flatMap((table) => {
    if (table === found || table.tagged === null) return [];
    const { stamp } = table.tagged;
    if (stamp.epoch > tagged.stamp.epoch) {
      const hint = "start the job: it takes all its tables under a new epoch";
      return [
        tell(table.name, `epoch ${tagged.stamp.epoch} of the anchor ${anchor}, or below`, String(stamp.epoch), hint),
      ];
    }
    if (!catalog.atomicAcrossTables) return [];
    return positionsBehind(stamp.position, tagged.stamp.position, compare).map(({ split, point, limit }) =>
      tell(
        table.name,
        `position ${limit ?? "none"} or below of ${split}, that of the anchor ${anchor}`,
        point,
        "the anchor was rolled back alone: roll back all tables to one checkpoint (frazil rollback --pipeline)",
      ),
    );
  });
}

async function verifyClaims(
  { catalog, pipeline }: PipelinePlace,
  state: PipelineState,
  tell: Tell,
): Promise<Finding[]> {
  const recorded = new Set((await catalog.listClaims(tableKey(pipeline, ""))).map(({ value }) => value));
  const present = new Set(state.tables.map(({ name }) => name));
  return [...recorded]
    .filter((name) => !present.has(name))
    .map((name) =>
      tell(
        name,
        `table ${name} with the tag of ${pipeline}`,
        "no such table",
        "restore the table, or give its rows up by taking it out of tables:",
      ),
    );
}

/** Where one commit spans all tables, each has what the anchor knows that it had. */
function verifyNotes({ pipeline }: PipelinePlace, state: PipelineState, tell: Tell): Finding[] {
  return putBackAlone(state, pipeline).map(({ table, noted, found, at }) =>
    tell(
      table,
      `checkpoint ${noted} or above, as the anchor ${state.anchor} knows of it`,
      String(found),
      `somebody moved main and the tag back, or put the table back to older metadata: ${waysOut(table, pipeline, at)}`,
    ),
  );
}

function verifyLedger(
  { pipeline }: PipelinePlace,
  { anchor, tables, ledger }: PipelineState,
  compare: Compare,
  tell: Tell,
): Finding[] {
  if (ledger === null) {
    if (tables.length === 0) return [];
    return [tell("the ledger", "a ledger", "none", repairHint(tables[0] ?? null))];
  }
  const noted = ledger.ledger;
  const findings: Finding[] = [];
  const highest = tables.reduce(
    (max, { tagged }) => (tagged !== null && tagged.stamp.epoch > max ? tagged.stamp.epoch : max),
    0n,
  );
  if (tables.some(({ tagged }) => tagged !== null) && noted.epoch > highest) {
    findings.push(tell("epoch", `${highest}, that of the tables, or below`, String(noted.epoch), START_HINT));
  }
  for (const [name, snapshotId] of noted.tables) {
    const table = tables.find((each) => each.name === name);
    if (table === undefined) {
      const hint = "restore the table, or give its rows up by taking it out of tables:";
      findings.push(tell(name, `table ${name} with the tag of the pipeline`, "no such table", hint));
      continue;
    }
    const back = putBack(table.loaded, pipeline, noted);
    findings.push(
      ...(back === null
        ? verifyNoted(table, snapshotId, noted.position, compare, tell)
        : [tellPutBack(table, back, snapshotId, tell)]),
    );
    if (name !== anchor || table.tagged === null) continue;
    // The anchor takes part in each commit: a ledger ahead of it says of rows that they are there which are not.
    for (const [split, point, has] of backwards(noted.position, table.tagged.stamp.position, compare)) {
      findings.push(
        tell(
          `position of ${split}`,
          `${has ?? "none"}, that of the anchor ${name}, or below`,
          point,
          repairHint(table),
        ),
      );
    }
  }
  return findings;
}

const START_HINT = "a rollback or a start was cut short: start the job, or do the rollback again";

/** Its older metadata, or main and tag moved back, which no verb does: to each its own snapshot, the history looks whole. */
function tellPutBack({ name, loaded }: PipelineTable, { noted, found }: PutBack, id: bigint, tell: Tell): Finding {
  const forward =
    snapshotById(loaded.metadata, id) === null
      ? "its newer metadata brings"
      : `frazil rollback ${name} --to ${id} brings`;
  const hint = `somebody moved main and the tag back, or put the table back to older metadata, as from a backup: ${forward} the rows back; else the job reads again what it lacks when it is started`;
  return tell(name, `checkpoint ${noted} or above, as the ledger knows of it`, String(found), hint);
}

/** The cut that readers get: the snapshot is held, of the pipeline, and not beyond the cut. */
function verifyNoted(
  { name, loaded, tagged }: PipelineTable,
  snapshotId: bigint,
  cut: Position,
  compare: Compare,
  tell: Tell,
): Finding[] {
  if (cut.size === 0) return [];
  const snapshot = snapshotById(loaded.metadata, snapshotId);
  if (snapshot === null) {
    const hint =
      "an expiry of another engine took it: the job's next commits write the ledger anew, and until then there is no consistent cut for readers";
    return [tell(name, `snapshot ${snapshotId}`, "the table does not hold it", hint)];
  }
  const stamp = readStamp(snapshot);
  if (stamp === null || (tagged !== null && stamp.pipeline !== tagged.stamp.pipeline)) {
    const hint = "somebody else wrote the ledger: frazil repair";
    return [tell(name, `snapshot ${snapshotId} of the pipeline`, "one of somebody else", hint)];
  }
  return positionsBehind(stamp.position, cut, compare).map(({ split, point, limit }) =>
    tell(name, `position ${limit ?? "none"} or below of ${split}, that of the cut`, point, repairHint(null)),
  );
}

/** The splits whose point lies beyond the limit. */
function positionsBehind(position: Position, limits: Position, compare: Compare) {
  return [...position].flatMap(([split, point]) => {
    const limit = limits.get(split) ?? null;
    return limit !== null && compare(point, limit) <= 0 ? [] : [{ split, point, limit }];
  });
}
