import { isAncestor } from "../../../table-format/index.ts";
import { type TableName, TABLES } from "../world/changelog.ts";
import type { TableBackup } from "../world/oracle.ts";
import type { Draw } from "../world/scheduler.ts";
import { LOCATION, type Simulation } from "../world/simulation.ts";
import type { JobSupervisor } from "./job.ts";

/** The folder of a table as it was at one moment. */
interface FolderBackup {
  readonly objects: ReadonlyMap<string, Uint8Array>;
  readonly known: TableBackup;
}

/**
 * An operator who has a backup of some tables' folders, from some time on the way, and restores it when nobody works on them: their older
 * metadata, without a word to the job or its ledger, which is what it was. What the tables lack since has to be read again.
 */
export class Restorer {
  readonly #sim: Simulation;
  readonly #draw: Draw;
  readonly #wanted: readonly TableName[];
  readonly #backups = new Map<TableName, FolderBackup>();

  constructor(sim: Simulation) {
    this.#sim = sim;
    this.#draw = sim.scheduler.stream("put-back");
    const skipped = sim.has("follower") ? "a" : null;
    const chosen = TABLES.filter((name) => name !== skipped && this.#draw.oneIn(2));
    this.#wanted = chosen.length === 0 ? [this.#draw.pick(["b", "log"] as const)] : chosen;
  }

  /** Takes the backups, each now or in a while, unless it is `stopped` by then. */
  start(stopped: () => boolean): void {
    const { scheduler } = this.#sim;
    for (const name of this.#wanted) {
      const next = (): void =>
        scheduler.at(this.#draw.between(5_000, 90_000), null, () => {
          if (!stopped() && !this.#backUp(name)) next();
        });
      next();
    }
  }

  /** @returns whether anything was put back */
  restore(job: JobSupervisor): boolean {
    const sim = this.#sim;
    if (this.#backups.size === 0) return false;
    sim.rowsGoBack();
    job.takeovers.push(sim.scheduler.nowMs);
    for (const [name, { objects, known }] of this.#backups) {
      sim.scheduler.note(`${name} is put back`);
      sim.count("put back from a backup");
      sim.unwatched(() => {
        for (const location of sim.store.locations(folderOf(name))) {
          if (!objects.has(location)) sim.store.delete(location);
        }
        for (const [location, bytes] of objects) sim.store.put(location, bytes);
      });
      sim.oracle.restore(name, known);
    }
    return true;
  }

  /** False: the table is not there yet, or `main` is set back by hand just now, which nobody would mend in the end. */
  #backUp(name: TableName): boolean {
    const { oracle, store, scheduler } = this.#sim;
    const known = oracle.backup(name);
    if (known === null || !this.#isWhole(known)) return false;
    const objects = new Map<string, Uint8Array>();
    for (const location of store.locations(folderOf(name))) {
      const bytes = store.get(location)?.bytes;
      if (bytes !== undefined) objects.set(location, bytes);
    }
    scheduler.note(`a backup of ${name} is taken`);
    this.#backups.set(name, { objects, known });
    return true;
  }

  #isWhole({ metadata, tagged }: TableBackup): boolean {
    const head = this.#sim.headOf(metadata);
    return tagged !== null && head !== null && isAncestor(metadata, tagged.id, head);
  }
}

function folderOf(name: TableName): string {
  return `${LOCATION}/shop/${name}/`;
}
