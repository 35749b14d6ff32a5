import { expect, test } from "vitest";
import type { TableChange, TableIdent } from "../../table-format/catalog/catalog.ts";
import type { ManagedCatalog } from "../../table-format/catalog/managed-catalog.ts";
import { appended, creation, snapshotOn } from "../unit/table-format/metadata/fixture.ts";
import { TestTable } from "../unit/table-format/test-table.ts";
import type { Lake } from "./catalog-suite.ts";

const orders: TableIdent = { namespace: ["shop"], name: "orders" };
const bills: TableIdent = { namespace: ["shop"], name: "bills" };

/** What becomes of tables and namespaces as a whole, in every catalog. @param theLake of the test that runs */
export function lifecycleSuite(theLake: () => Lake): void {
  const create = (catalog: ManagedCatalog, ident: TableIdent): TableChange => ({
    ident,
    requirements: [{ type: "assert-create" }],
    updates: creation(catalog.defaultLocation(ident)),
  });
  const files = async (): Promise<string[]> => {
    const { io, warehouse } = theLake();
    return (await Array.fromAsync(io.list(warehouse))).map(({ location }) => location).toSorted();
  };

  test("a table is dropped, its files stay, and they are registered again", async () => {
    const { connect, lacks, ownWays } = theLake();
    if (ownWays === true) return;
    const catalog = connect();
    await catalog.commit([create(catalog, orders)]);
    const before = (await catalog.loadTable(orders))!;
    await catalog.dropTable(orders, false);
    expect(await connect().loadTable(orders)).toBeNull();
    expect(await connect().listTables(["shop"])).toEqual([]);
    await expect(catalog.dropTable(orders, false)).rejects.toMatchObject({ kind: "not-found" });
    const lost = { ident: orders, requirements: [], updates: appended(snapshotOn(before.metadata, 1n)) };
    expect(await catalog.commit([lost])).toMatchObject({ outcome: "conflict" });
    if (lacks?.includes("register") === true) {
      await expect(catalog.registerTable(orders, before.metadataLocation)).rejects.toMatchObject({
        kind: "unsupported",
      });
      return;
    }
    const registered = await catalog.registerTable(orders, before.metadataLocation);
    expect(registered.metadata).toEqual(before.metadata);
    expect(await connect().loadTable(orders)).toEqual(registered);
    await expect(connect().registerTable(orders, before.metadataLocation)).rejects.toMatchObject({ kind: "conflict" });
    expect(await connect().commit([lost])).toMatchObject({ outcome: "committed" });
  });

  test("a table is renamed where names are no places, and what it was called is free", async () => {
    const { connect, lacks, ownWays } = theLake();
    if (ownWays === true) return;
    const catalog = connect();
    await catalog.commit([create(catalog, orders)]);
    const { metadata } = (await catalog.loadTable(orders))!;
    if (lacks?.includes("rename") === true) {
      await expect(catalog.renameTable(orders, bills)).rejects.toMatchObject({ kind: "unsupported" });
      return;
    }
    await catalog.renameTable(orders, bills);
    expect(await connect().loadTable(orders)).toBeNull();
    expect((await connect().loadTable(bills))?.metadata).toEqual(metadata);
    await expect(catalog.renameTable(orders, bills)).rejects.toMatchObject({ kind: "not-found" });
    const change = { ident: bills, requirements: [], updates: appended(snapshotOn(metadata, 1n)) };
    expect(await connect().commit([change])).toMatchObject({ outcome: "committed" });
    const elsewhere = { ...create(catalog, orders), updates: creation(`${catalog.defaultLocation(orders)}-2`) };
    expect(await catalog.commit([elsewhere])).toMatchObject({ outcome: "committed" });
    await expect(catalog.renameTable(orders, bills)).rejects.toMatchObject({ kind: "conflict" });
    expect(await connect().listTables(["shop"])).toHaveLength(2);
  });

  test("purging deletes the table's own files and nothing else", async () => {
    const { connect, io, ownWays } = theLake();
    if (ownWays === true) return;
    const catalog = connect();
    const table = await TestTable.create(io, catalog, {
      formatVersion: 2,
      properties: new Map([["write.metadata.previous-versions-max", "100"]]),
    });
    const rows = [1n, 2n, 3n].map((id) => ({ id, name: `n${id}`, day: 1 }));
    await table.change({ insert: rows });
    await table.change({ delete: [2n], insert: [{ id: 4n, name: "n4", day: 2 }] });
    const other = { namespace: ["ns"], name: "t2" };
    await catalog.commit([create(catalog, other)]);
    const others = (await files()).filter((location) => !location.includes("/ns/t/"));
    const { location } = table.metadata;
    const strange = [`${location}/notes.txt`, `${location}/data/somebody-elses.parquet`];
    for (const each of strange) await io.write(each, new Uint8Array([1]));
    await catalog.dropTable(table.ident, true);
    expect(await connect().loadTable(table.ident)).toBeNull();
    expect(await files()).toEqual([...others, ...strange].toSorted());
    expect(await connect().loadTable(other)).not.toBeNull();
    await expect(catalog.dropTable(table.ident, true)).rejects.toMatchObject({ kind: "not-found" });
  });

  test("namespaces have properties, and are dropped when they are empty", async () => {
    const { connect } = theLake();
    const catalog = connect();
    expect(await catalog.namespaces.properties(["shop"])).toBeNull();
    expect(
      await catalog.namespaces.create(
        ["shop"],
        new Map([
          ["owner", "me"],
          ["team", "ice"],
        ]),
      ),
    ).toBe(true);
    expect(await connect().namespaces.create(["shop"], new Map([["owner", "you"]]))).toBe(false);
    expect(await connect().listNamespaces()).toEqual([["shop"]]);
    await catalog.namespaces.change(
      ["shop"],
      new Map([
        ["team", "snow"],
        ["since", "2026"],
      ]),
      ["owner"],
    );
    const held = await connect().namespaces.properties(["shop"]);
    expect([...["owner", "team", "since"].map((key) => held?.get(key))]).toEqual([undefined, "snow", "2026"]);
    await expect(catalog.namespaces.change(["none"], new Map(), [])).rejects.toMatchObject({ kind: "not-found" });
    await catalog.commit([create(catalog, orders)]);
    await expect(connect().namespaces.drop(["shop"])).rejects.toMatchObject({ kind: "conflict" });
    await catalog.dropTable(orders, false);
    await connect().namespaces.drop(["shop"]);
    expect(await connect().namespaces.properties(["shop"])).toBeNull();
    expect(await connect().listNamespaces()).toEqual([]);
    await expect(catalog.namespaces.drop(["shop"])).rejects.toMatchObject({ kind: "not-found" });
  });

  test("views of other engines are listed, are no tables, and stay", async () => {
    const { connect, addView } = theLake();
    const catalog = connect();
    expect(await catalog.namespaces.views(["shop"])).toEqual([]);
    if (addView === undefined) return;
    await catalog.ensureNamespace(["shop"]);
    await addView(bills);
    expect(await catalog.namespaces.views(["shop"])).toEqual([bills]);
    expect(await catalog.listTables(["shop"])).toEqual([]);
    expect(await catalog.loadTable(bills)).toBeNull();
    expect(await catalog.commit([create(catalog, bills)])).toMatchObject({ outcome: "conflict" });
    await expect(catalog.dropTable(bills, false)).rejects.toMatchObject({ kind: "not-found" });
    await catalog.commit([create(catalog, orders)]);
    await expect(catalog.renameTable(orders, bills)).rejects.toMatchObject({ kind: "conflict" });
    await catalog.dropTable(orders, false);
    await expect(catalog.namespaces.drop(["shop"])).rejects.toMatchObject({ kind: "conflict" });
    expect(await connect().namespaces.views(["shop"])).toEqual([bills]);
  });
}
