import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FileIO } from "../../table-format/index.ts";

export interface StorageUnderTest {
  readonly io: FileIO;
  /** An empty folder that nobody else uses, without a trailing slash. */
  readonly folder: string;
  close?(): Promise<void>;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** What every implementation of `FileIO` must do. `open` is called once. */
export function storageSuite(name: string, open: () => Promise<StorageUnderTest>): void {
  describe(`storage: ${name}`, () => {
    let io: FileIO;
    let folder: string;
    let opened: StorageUnderTest;

    beforeAll(async () => {
      opened = await open();
      ({ io, folder } = opened);
    });

    afterAll(() => opened?.close?.());

    const listed = async (prefix: string): Promise<Map<string, number>> => {
      const found = new Map<string, number>();
      for await (const { location, sizeBytes } of io.list(prefix)) {
        expect(found.has(location)).toBe(false);
        found.set(location, sizeBytes);
      }
      return found;
    };

    it("gives back what was written, and again after it was written again", async () => {
      const at = `${folder}/write/a b=%2F,ü.txt`;
      await io.write(at, bytesOf("one"));
      expect(textOf(await io.read(at))).toBe("one");
      await io.write(at, bytesOf("one"));
      expect(textOf(await io.read(at))).toBe("one");
      await io.write(`${folder}/write/empty`, new Uint8Array(0));
      expect((await io.read(`${folder}/write/empty`)).length).toBe(0);
    });

    it("keeps the bytes it was given, not the buffer they came in", async () => {
      // A Buffer, whose slice is a view.
      const buffer = Buffer.from("before");
      await io.write(`${folder}/write/copied`, buffer);
      buffer.fill(0);
      const read = await io.read(`${folder}/write/copied`);
      expect(textOf(read)).toBe("before");
      read.fill(0);
      expect(textOf(await io.read(`${folder}/write/copied`))).toBe("before");
    });

    it("names an absent object in every verb", async () => {
      const at = `${folder}/absent/x`;
      await expect(io.read(at)).rejects.toMatchObject({ kind: "not-found" });
      await expect(io.readRange(at, 0, 1)).rejects.toMatchObject({ kind: "not-found" });
      expect(await io.stat(at)).toBeNull();
      expect(await io.readTagged(at)).toBeNull();
      await io.delete(at);
      expect(await io.replace(at, bytesOf("x"), "00000000000000000000000000000000")).toEqual({ outcome: "conflict" });
      expect(await io.stat(at)).toBeNull();
      expect((await listed(`${folder}/absent`)).size).toBe(0);
    });

    it("reads exact ranges and refuses to read past the end", async () => {
      const at = `${folder}/ranges`;
      await io.write(at, bytesOf("0123456789"));
      expect(textOf(await io.readRange(at, 0, 3))).toBe("012");
      expect(textOf(await io.readRange(at, 7, 3))).toBe("789");
      expect(textOf(await io.readRange(at, 0, 10))).toBe("0123456789");
      await expect(io.readRange(at, 8, 3)).rejects.toMatchObject({ kind: "corrupt" });
    });

    it("tags bytes: stat, readTagged and create agree, other bytes have another tag", async () => {
      const at = `${folder}/tags`;
      const created = await io.create(at, bytesOf("first"));
      if (created.outcome !== "created") throw new Error("expected created");
      expect(await io.stat(at)).toEqual({ sizeBytes: 5, etag: created.etag });
      const tagged = await io.readTagged(at);
      expect(tagged && { text: textOf(tagged.bytes), etag: tagged.etag }).toEqual({
        text: "first",
        etag: created.etag,
      });
      const replaced = await io.replace(at, bytesOf("other"), created.etag);
      if (replaced.outcome !== "replaced") throw new Error("expected replaced");
      expect(replaced.etag).not.toBe(created.etag);
      expect((await io.stat(at))?.etag).toBe(replaced.etag);
    });

    it("replaces objects of several megabytes too", async () => {
      const at = `${folder}/large`;
      const created = await io.create(at, new Uint8Array(3 << 20).fill(1));
      if (created.outcome !== "created") throw new Error("expected created");
      expect((await io.stat(at))?.etag).toBe(created.etag);
      expect((await io.readTagged(at))?.etag).toBe(created.etag);
      const replaced = await io.replace(at, new Uint8Array(3 << 20).fill(2), created.etag);
      if (replaced.outcome !== "replaced") throw new Error("expected replaced");
      expect((await io.replace(at, bytesOf("late"), created.etag)).outcome).toBe("conflict");
      expect((await io.stat(at))?.etag).toBe(replaced.etag);
    });

    it("creates only what is absent", async () => {
      const at = `${folder}/create/x`;
      expect((await io.create(at, bytesOf("mine"))).outcome).toBe("created");
      expect(await io.create(at, bytesOf("theirs"))).toEqual({ outcome: "exists" });
      expect(textOf(await io.read(at))).toBe("mine");
    });

    it("lets exactly one of many creators win", async () => {
      const at = `${folder}/create/race`;
      const outcomes = await Promise.all(Array.from({ length: 16 }, (_, k) => io.create(at, bytesOf(`writer ${k}`))));
      const winners = outcomes.flatMap(({ outcome }, k) => (outcome === "created" ? [k] : []));
      expect(winners.length).toBe(1);
      expect(textOf(await io.read(at))).toBe(`writer ${winners[0]}`);
    });

    it("loses no update when many replace the same object", async () => {
      const at = `${folder}/replace/counter`;
      await io.create(at, bytesOf("0"));
      let conflicts = 0;
      const increment = async (): Promise<void> => {
        for (;;) {
          const now = await io.readTagged(at);
          if (now === null) throw new Error("the counter is gone");
          const next = bytesOf(String(Number(textOf(now.bytes)) + 1));
          if ((await io.replace(at, next, now.etag)).outcome === "replaced") return;
          conflicts++;
        }
      };
      const worker = async (): Promise<void> => {
        for (let k = 0; k < 5; k++) await increment();
      };
      await Promise.all([worker(), worker(), worker(), worker()]);
      expect(textOf(await io.read(at))).toBe("20");
      expect(conflicts).toBeGreaterThan(0);
    });

    it("refuses to replace by an old tag, also when the object has gone", async () => {
      const at = `${folder}/replace/stale`;
      const created = await io.create(at, bytesOf("a"));
      if (created.outcome !== "created") throw new Error("expected created");
      await io.replace(at, bytesOf("b"), created.etag);
      expect(await io.replace(at, bytesOf("c"), created.etag)).toEqual({ outcome: "conflict" });
      expect(textOf(await io.read(at))).toBe("b");
      const tag = (await io.stat(at))?.etag ?? "";
      await io.delete(at);
      expect(await io.replace(at, bytesOf("c"), tag)).toEqual({ outcome: "conflict" });
      expect(await io.stat(at)).toBeNull();
    });

    it("shows a streamed object whole at close, and never before", async () => {
      const at = `${folder}/stream/whole`;
      const stream = await io.openWrite(at);
      const chunk = new Uint8Array(1 << 20);
      for (let k = 0; k < 7; k++) {
        chunk.fill(k);
        await stream.write(chunk.slice());
        expect(await io.stat(at)).toBeNull();
      }
      await stream.write(new Uint8Array(0));
      expect((await listed(`${folder}/stream`)).size).toBe(0);
      expect(await stream.close()).toEqual({ sizeBytes: 7 << 20 });
      const read = await io.read(at);
      expect(read.length).toBe(7 << 20);
      for (let k = 0; k < 7; k++) {
        expect(read[k << 20]).toBe(k);
        expect(read[((k + 1) << 20) - 1]).toBe(k);
      }
    });

    it("streams an empty object", async () => {
      const stream = await io.openWrite(`${folder}/stream-empty`);
      expect(await stream.close()).toEqual({ sizeBytes: 0 });
      expect((await io.stat(`${folder}/stream-empty`))?.sizeBytes).toBe(0);
    });

    it("leaves nothing of an aborted stream", async () => {
      const prefix = `${folder}/aborted`;
      const stream = await io.openWrite(`${prefix}/x`);
      await stream.write(new Uint8Array(6 << 20));
      await stream.abort();
      await stream.abort();
      expect(await io.stat(`${prefix}/x`)).toBeNull();
      expect((await listed(prefix)).size).toBe(0);
    });

    it("lists everything below a folder and nothing beside it", async () => {
      const prefix = `${folder}/listing`;
      const names = ["a", "deep/er/b=1/c", "z.parquet", ...Array.from({ length: 30 }, (_, k) => `many/${k}`)];
      for (const name of names) await io.write(`${prefix}/${name}`, bytesOf(name));
      await io.write(`${folder}/listing-beside/x`, bytesOf("x"));
      expect(await listed(prefix)).toEqual(new Map(names.map((name) => [`${prefix}/${name}`, name.length])));
      expect([...(await listed(`${prefix}/deep`)).keys()]).toEqual([`${prefix}/deep/er/b=1/c`]);
      expect((await listed(`${prefix}/none`)).size).toBe(0);
    });

    it("tells when an object was written", async () => {
      const at = `${folder}/times/a`;
      const toSecond = (ms: number): number => Math.floor(ms / 1000) * 1000;
      const before = Date.now();
      await io.write(at, bytesOf("x"));
      const after = Date.now();
      const [entry] = await Array.fromAsync(io.list(`${folder}/times`));
      // S3 tells whole seconds, and a file system's clock ticks every few milliseconds.
      expect(entry?.lastModifiedMs).toBeGreaterThanOrEqual(toSecond(before - 10));
      expect(entry?.lastModifiedMs).toBeLessThanOrEqual(after + 10);
    });

    it("does not list what replacing leaves beside an object", async () => {
      const prefix = `${folder}/clean`;
      const created = await io.create(`${prefix}/hint`, bytesOf("1"));
      if (created.outcome !== "created") throw new Error("expected created");
      await io.replace(`${prefix}/hint`, bytesOf("2"), created.etag);
      expect([...(await listed(prefix)).keys()]).toEqual([`${prefix}/hint`]);
    });

    it("deletes, and deletes again", async () => {
      const at = `${folder}/delete/x`;
      await io.write(at, bytesOf("x"));
      await io.delete(at);
      expect(await io.stat(at)).toBeNull();
      await io.delete(at);
    });
  });
}
