import type { Action } from "../explore.ts";
import { spend } from "../layout.ts";
import type { Tables } from "./catalog.ts";
import { Kind, OPERATOR, type Places, REQUEST, REQUEST_SIZE, type Removed, Rolling, SNAPSHOT } from "./state.ts";

/** `frazil rollback` of one table or both (`rollback.ts`): the ledger first, which forgets the tables that go back, then each table under a new epoch. */
export function operatorActions(places: Places, tables: Tables, removed: Removed): Action[] {
  const o = places.operator;
  if (o === null) return [];
  const request = o + OPERATOR.request;
  const rest = (s: Uint8Array): true => {
    s.fill(0, o, request + REQUEST_SIZE);
    return true;
  };

  const plan = (mask: number, position: number): Action => ({
    name: `operator: plan rollback of ${mask === 1 ? "the anchor" : mask === 2 ? "the other table" : "both tables"} to ${position}`,
    fault: true,
    step(s) {
      if (s[o] !== Rolling.idle || s[places.ledgerVersion] === 0) return false;
      for (const table of [0, 1])
        if ((mask & (1 << table)) !== 0 && tables.positionOf(s, table) <= position) return false;
      if (!spend(s, places.rollbacks)) return false;
      s[o] = Rolling.planned;
      const ledger = removed.has("a rollback is above the ledger's epoch") ? 0 : s[places.ledgerEpoch]!;
      s[o + OPERATOR.epoch] = Math.max(ledger, tables.epochOf(s, 0), tables.epochOf(s, 1)) + 1;
      s[o + OPERATOR.chosen] = mask;
      s[o + OPERATOR.position] = position;
      return true;
    },
  });

  const takeLedger: Action = {
    name: "operator: ledger taken",
    fault: false,
    step(s) {
      if (s[o] !== Rolling.planned) return false;
      if (s[places.ledgerEpoch]! >= s[o + OPERATOR.epoch]!) return rest(s);
      if (!removed.has("a rollback takes the ledger first")) {
        s[places.ledgerVersion]!++;
        s[places.ledgerEpoch] = s[o + OPERATOR.epoch]!;
        for (const table of [0, 1] as const) {
          const goes = (s[o + OPERATOR.chosen]! & (1 << table)) !== 0;
          if (!goes || removed.has("the ledger forgets tables that go back")) continue;
          s[places.ledgerTables[table]] = s[places.ledgerCheckpoints[table]] = 0;
        }
      }
      s[o] = Rolling.committing;
      s[o + OPERATOR.left] = (s[places.tags[0]] === 0 ? 0 : 1) | (s[places.tags[1]] === 0 ? 0 : 2);
      return true;
    },
  };

  /** Tables that go back come first. */
  function turn(s: Uint8Array): number {
    const left = s[o! + OPERATOR.left]!;
    const goes = left & s[o! + OPERATOR.chosen]!;
    return ((goes === 0 ? left : goes) & 1) !== 0 ? 0 : 1;
  }

  const commit: Action = {
    name: "operator: load, rollback sent",
    fault: false,
    step(s) {
      if (s[o] !== Rolling.committing) return false;
      if (s[o + OPERATOR.left] === 0) return rest(s);
      const table = turn(s);
      const own = s[o + OPERATOR.snapshot]!;
      if (own !== 0 && s[tables.of(table, own, SNAPSHOT.held)] === 1) return done(s, table);
      if (tables.epochOf(s, table) >= s[o + OPERATOR.epoch]!) return rest(s);
      if (own === 0) s[o + OPERATOR.snapshot] = tables.draw(s, table);
      const goes = (s[o + OPERATOR.chosen]! & (1 << table)) !== 0;
      const position = goes ? s[o + OPERATOR.position]! : tables.positionOf(s, table);
      s[request] = goes ? Kind.rollback : Kind.fence;
      s[request + REQUEST.table] = table;
      s[request + REQUEST.snapshot] = s[o + OPERATOR.snapshot]!;
      s[request + REQUEST.tag] = s[places.tags[table]!]!;
      s[request + REQUEST.epoch] = s[o + OPERATOR.epoch]!;
      s[request + REQUEST.position] = position;
      s[request + REQUEST.rows] = goes ? tables.changesOf(table, 0, position) : 0;
      const number = Math.max(tables.checkpointOf(s, 0), tables.checkpointOf(s, 1)) + 1;
      if (places.countsCheckpoints) s[request + REQUEST.checkpoint] = goes ? number : tables.checkpointOf(s, table);
      s[o] = Rolling.sent;
      return true;
    },
  };

  function done(s: Uint8Array, table: number): true {
    s[o! + OPERATOR.left]! &= ~(1 << table);
    s[o! + OPERATOR.snapshot] = 0;
    s.fill(0, request, request + REQUEST_SIZE);
    s[o!] = Rolling.committing;
    return true;
  }

  const applied: Action = {
    name: "operator: rollback applied or refused",
    fault: false,
    step(s) {
      if (s[o] !== Rolling.sent) return false;
      const table = s[request + REQUEST.table]!;
      if (tables.apply(s, request)) return done(s, table);
      s.fill(0, request, request + REQUEST_SIZE);
      s[o] = Rolling.committing;
      return true;
    },
  };

  const lost: Action = {
    name: "operator: answer lost",
    fault: true,
    step(s) {
      if (s[o] !== Rolling.sent || !spend(s, places.lostAnswers)) return false;
      tables.apply(s, request);
      s.fill(0, request, request + REQUEST_SIZE);
      s[o] = Rolling.committing;
      return true;
    },
  };

  const crash: Action = { name: "operator: crash", fault: true, step: (s) => s[o] !== Rolling.idle && rest(s) };

  return [plan(1, 0), plan(2, 0), plan(3, 0), plan(1, 1), plan(3, 1), takeLedger, commit, applied, lost, crash];
}
