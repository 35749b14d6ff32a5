import { beforeEach, describe, expect, test } from "vitest";
import type { Catalog, TableChange, TableIdent } from "../../table-format/catalog/catalog.ts";
import type { ManagedCatalog } from "../../table-format/catalog/managed-catalog.ts";
import type { FileIO } from "../../table-format/io/file-io.ts";
import type { TableMetadata } from "../../table-format/metadata/table-metadata.ts";
import { appended, BIG, creation, snapshotOn } from "../unit/table-format/metadata/fixture.ts";
import { lifecycleSuite } from "./lifecycle-suite.ts";

/** A catalog that is empty, and the storage its tables lie in. */
export interface Lake {
  readonly io: FileIO;
  readonly warehouse: string;
  /** Another client of the same catalog. */
  connect(): ManagedCatalog;
  /** Somebody else's server that names metadata files in its own way, keeps old ones, deletes those of dropped tables, and minds its own clock. */
  readonly ownWays?: boolean;
  /** A server that lets several of the creations that race win, as SeaweedFS's does: the last one stays. */
  readonly lastCreationStays?: boolean;
  /** What this catalog refuses by name. */
  readonly lacks?: readonly ("register" | "rename")[];
  /** Makes a view, as another engine would; absent: there are none here. */
  readonly addView?: (ident: TableIdent) => Promise<void>;
}

const orders: TableIdent = { namespace: ["shop"], name: "orders" };

/** What every catalog must do. `newLake` is called for each test. */
export function catalogSuite(name: string, newLake: () => Lake | Promise<Lake>): void {
  describe(name, () => {
    let lake: Lake;
    let catalog: ManagedCatalog;

    beforeEach(async () => {
      lake = await newLake();
      catalog = lake.connect();
    });

    lifecycleSuite(() => lake);

    const create = (ident: TableIdent, ...more: TableChange["updates"]): TableChange => ({
      ident,
      requirements: [{ type: "assert-create" }],
      updates: [...creation(catalog.defaultLocation(ident)), ...more],
    });

    /** Appends an empty snapshot to what a client has loaded, asserting that main has not moved. */
    const append = (ident: TableIdent, base: TableMetadata, id: bigint): TableChange => ({
      ident,
      requirements: [{ type: "assert-ref-snapshot-id", ref: "main", snapshotId: base.currentSnapshotId }],
      updates: appended(snapshotOn(base, id)),
    });

    const loaded = async (from: Catalog, ident: TableIdent) => {
      const table = await from.loadTable(ident);
      if (table === null) throw new Error(`${ident.name} is missing`);
      return table;
    };

    test("creates a table once, and everybody sees it", async () => {
      await catalog.ensureNamespace(["shop"]);
      expect(await catalog.loadTable(orders)).toBeNull();
      const outcome = await catalog.commit([create(orders)]);
      if (outcome.outcome !== "committed") throw new Error(JSON.stringify(outcome));
      const seen = await loaded(lake.connect(), orders);
      expect(seen).toEqual(outcome.tables[0]);
      expect(seen.metadata.location).toBe(`${lake.warehouse}/shop/orders`);
      const named = lake.ownWays === true ? /[^/]+/ : /00000-[0-9a-f-]{36}/;
      expect(seen.metadataLocation).toMatch(new RegExp(`/shop/orders/metadata/${named.source}\\.metadata\\.json$`));
      expect(await lake.connect().commit([create(orders)])).toMatchObject({
        outcome: "conflict",
        table: orders,
        requirement: { type: "assert-create" },
      });
    });

    test("a commit carries the table on, ids beyond 2^53 included", async () => {
      const first = snapshotOn(null, BIG, lake.ownWays === true ? { timestampMs: BigInt(Date.now()) } : {});
      await catalog.commit([create(orders, ...appended(first))]);
      const other = lake.connect();
      const before = await loaded(other, orders);
      expect(before.metadata.currentSnapshotId).toBe(BIG);
      const id = 2n ** 63n - 1n;
      expect(await catalog.commit([append(orders, before.metadata, id)])).toMatchObject({ outcome: "committed" });
      const after = await loaded(other, orders);
      expect(after.metadata.currentSnapshotId).toBe(id);
      expect(after.metadata.snapshots.map((snapshot) => snapshot.snapshotId)).toEqual([BIG, id]);
      expect(after.metadata.snapshots[1]?.parentSnapshotId).toBe(BIG);
      expect(after.metadata.metadataLog.map((entry) => entry.metadataFile)).toEqual([before.metadataLocation]);
      if (lake.ownWays !== true) expect(after.metadataLocation).toMatch(/\/00001-[^/]*$/);
    });

    test("a stale requirement is a conflict that names it, and changes nothing", async () => {
      await catalog.commit([create(orders)]);
      const base = await loaded(catalog, orders);
      await lake.connect().commit([append(orders, base.metadata, 1n)]);
      expect(await catalog.commit([append(orders, base.metadata, 2n)])).toMatchObject({
        outcome: "conflict",
        requirement: { type: "assert-ref-snapshot-id", ref: "main", snapshotId: null },
      });
      expect((await loaded(catalog, orders)).metadata.currentSnapshotId).toBe(1n);
    });

    test("updates that fresh metadata would cure are conflicts, broken ones are thrown", async () => {
      await catalog.commit([create(orders)]);
      const base = await loaded(catalog, orders);
      await catalog.commit([append(orders, base.metadata, 1n)]);
      const unasserted = { ident: orders, requirements: [], updates: appended(snapshotOn(base.metadata, 1n)) };
      expect(await catalog.commit([unasserted])).toMatchObject({ outcome: "conflict", requirement: null });
      const lost = { ident: { namespace: ["shop"], name: "lost" }, requirements: [], updates: [] };
      expect(await catalog.commit([lost])).toMatchObject({ outcome: "conflict" });
      const broken = appended(snapshotOn(base.metadata, 2n, { summary: new Map() }));
      await expect(catalog.commit([{ ident: orders, requirements: [], updates: broken }])).rejects.toMatchObject({
        kind: "data",
      });
    });

    test("of commits that race, exactly one wins each round", async () => {
      const clients = Array.from({ length: 5 }, () => lake.connect());
      await catalog.commit([create(orders)]);
      const rounds = 8;
      for (let round = 0; round < rounds; round++) {
        const { metadata } = await loaded(catalog, orders);
        const outcomes = await Promise.all(
          clients.map((client, i) => client.commit([append(orders, metadata, BigInt(round * 10 + i + 1))])),
        );
        expect(outcomes.map((outcome) => outcome.outcome).toSorted()).toEqual([
          "committed",
          ...clients.slice(1).map(() => "conflict"),
        ]);
        const winner = outcomes.findIndex((outcome) => outcome.outcome === "committed");
        const next = await loaded(clients[(winner + 1) % clients.length]!, orders);
        expect(next.metadata.currentSnapshotId).toBe(BigInt(round * 10 + winner + 1));
      }
      const { metadata } = await loaded(catalog, orders);
      expect(metadata.snapshots).toHaveLength(rounds);
      expect(metadata.metadataLog).toHaveLength(rounds);
    });

    test("of creations that race, exactly one wins", async () => {
      const outcomes = await Promise.all(Array.from({ length: 5 }, () => lake.connect().commit([create(orders)])));
      const committed = outcomes.filter((outcome) => outcome.outcome === "committed");
      expect(committed.length).toBeGreaterThanOrEqual(1);
      if (lake.lastCreationStays !== true) expect(committed).toHaveLength(1);
      expect(outcomes.filter((outcome) => outcome.outcome === "conflict")).toHaveLength(5 - committed.length);
      const stays = (await loaded(lake.connect(), orders)).metadata.tableUuid;
      expect(committed.map(({ tables }) => tables[0]?.metadata.tableUuid)).toContain(stays);
    });

    test("lists namespaces and tables", async () => {
      for (const [namespace, name] of [
        [["shop"], "orders"],
        [["shop"], "customers"],
        [["shop", "eu"], "orders"],
        [["hr"], "people"],
      ] as const) {
        await catalog.ensureNamespace(namespace);
        await catalog.ensureNamespace(namespace);
        expect(await catalog.commit([create({ namespace, name })])).toMatchObject({ outcome: "committed" });
      }
      const other = lake.connect();
      const names = async (namespace: string[]): Promise<string[]> =>
        (await other.listTables(namespace)).map((ident) => [...ident.namespace, ident.name].join(".")).toSorted();
      expect((await other.listNamespaces()).map((levels) => levels.join("/")).toSorted()).toEqual([
        "hr",
        "shop",
        "shop/eu",
      ]);
      expect(await names(["shop"])).toEqual(["shop.customers", "shop.orders"]);
      expect(await names(["shop", "eu"])).toEqual(["shop.eu.orders"]);
      expect(await names(["none"])).toEqual([]);
    });

    test.each(["", "a/b", "..", "a.b", "a\nb"])("refuses %j as a name", async (name) => {
      await expect(catalog.ensureNamespace([name])).rejects.toMatchObject({ kind: "config" });
      expect(() => catalog.defaultLocation({ namespace: ["shop"], name })).toThrow(/cannot name/);
    });

    test("several tables change together or not at all", async () => {
      const items: TableIdent = { namespace: ["shop"], name: "items" };
      const both = [create(orders), create(items)];
      if (!catalog.atomicAcrossTables) {
        await expect(catalog.commit(both)).rejects.toMatchObject({ kind: "unsupported" });
        expect(await catalog.loadTable(orders)).toBeNull();
        return;
      }
      expect(await catalog.commit(both)).toMatchObject({
        outcome: "committed",
        tables: [{ ident: orders }, { ident: items }],
      });
      const bases = [await loaded(catalog, orders), await loaded(catalog, items)] as const;
      await catalog.commit([append(items, bases[1].metadata, 1n)]);
      const stale = [append(orders, bases[0].metadata, 2n), append(items, bases[1].metadata, 2n)];
      expect(await catalog.commit(stale)).toMatchObject({ outcome: "conflict", table: items });
      expect(await loaded(lake.connect(), orders)).toEqual(bases[0]);
      // Together they race as one: no table of a loser moves.
      const heads = [await loaded(catalog, orders), await loaded(catalog, items)] as const;
      const outcomes = await Promise.all(
        [3n, 4n, 5n].map((id) =>
          lake.connect().commit([append(orders, heads[0].metadata, id), append(items, heads[1].metadata, id)]),
        ),
      );
      const winner = 3n + BigInt(outcomes.findIndex((outcome) => outcome.outcome === "committed"));
      expect(outcomes.filter((outcome) => outcome.outcome === "conflict")).toHaveLength(2);
      for (const ident of [orders, items]) {
        expect((await loaded(catalog, ident)).metadata.currentSnapshotId).toBe(winner);
      }
      await expect(catalog.commit([create(orders), create(orders)])).rejects.toMatchObject({ kind: "data" });
    });

    test("a claim is recorded with the commit that makes it true, and once", async () => {
      const claim = { key: "anchor.orders", value: "shop.orders" };
      if (!catalog.claims) {
        await expect(catalog.commit([create(orders)], claim)).rejects.toMatchObject({ kind: "unsupported" });
        return;
      }
      expect(await catalog.readClaim(claim.key)).toBeNull();
      expect(await catalog.commit([create(orders)], claim)).toMatchObject({ outcome: "committed" });
      expect(await lake.connect().readClaim(claim.key)).toBe("shop.orders");
      const items: TableIdent = { namespace: ["shop"], name: "items" };
      expect(await catalog.commit([create(items)], { ...claim, value: "shop.items" })).toMatchObject({
        outcome: "conflict",
      });
      expect(await catalog.loadTable(items)).toBeNull();
      expect(await catalog.commit([create(items)], claim)).toMatchObject({ outcome: "committed" });
      // A commit that fails claims nothing.
      const failed = await catalog.commit([create(items)], { key: "anchor.other", value: "shop.items" });
      expect(failed.outcome).toBe("conflict");
      expect(await catalog.readClaim("anchor.other")).toBeNull();
    });

    test("old metadata files go after the commit that forgets them, where the table asks for it", async () => {
      if (lake.ownWays === true) return;
      const properties = new Map([
        ["write.metadata.previous-versions-max", "2"],
        ["write.metadata.delete-after-commit.enabled", "true"],
      ]);
      await catalog.commit([create(orders, { action: "set-properties", updates: properties })]);
      const slow = lake.connect();
      await loaded(slow, orders);
      for (let id = 1n; id <= 4n; id++) {
        const { metadata } = await loaded(catalog, orders);
        await catalog.commit([append(orders, metadata, id)]);
      }
      const counters: string[] = [];
      for await (const { location } of lake.io.list(`${lake.warehouse}/shop/orders/metadata`)) {
        const match = /\/(\d{5})-[^/]*\.metadata\.json$/.exec(location);
        if (match !== null) counters.push(match[1]!);
      }
      expect(counters.toSorted()).toEqual(["00002", "00003", "00004"]);
      expect((await loaded(slow, orders)).metadata.currentSnapshotId).toBe(4n);
    });
  });
}
