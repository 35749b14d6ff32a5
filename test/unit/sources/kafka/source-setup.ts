import type { ChangeBatch } from "../../../../src/core/change-batch.ts";
import type { Decoder } from "../../../../src/core/format.ts";
import type { Position } from "../../../../src/core/position.ts";
import type { Source } from "../../../../src/core/source.ts";
import type { KafkaSettings } from "../../../../src/sources/kafka/config.ts";
import { createKafkaSource } from "../../../../src/sources/kafka/source.ts";
import { FakeCluster, recordingRuntime, VirtualClock } from "./fake-cluster.ts";

const settings: KafkaSettings = {
  brokers: ["localhost:9092"],
  topics: ["orders"],
  start: "earliest",
  onLostOffsets: "stop",
  tls: null,
  sasl: null,
  clientId: "test",
  groupId: "pipe",
};

/** A source over a cluster in memory. */
export interface Setup {
  readonly cluster: FakeCluster;
  readonly clock: VirtualClock;
  readonly lines: string[];
  /** Values read so far, by split. */
  readonly seen: Map<string, string[]>;
  source(more?: Partial<KafkaSettings>, outageLimitMs?: number): Source;
}

export function setup(): Setup {
  const clock = new VirtualClock();
  const cluster = new FakeCluster(clock);
  const runtime = recordingRuntime(clock);
  const seen = new Map<string, string[]>();
  const decoder: Decoder = {
    decode(slab): ChangeBatch[] {
      const values = Array.from({ length: slab.count }, (_, i) =>
        Buffer.from(slab.bytes.subarray(slab.valueStarts[i], slab.valueEnds[i])).toString(),
      );
      seen.set(slab.split, [...(seen.get(slab.split) ?? []), ...values]);
      return [];
    },
  };
  return {
    cluster,
    clock,
    lines: runtime.lines,
    seen,
    source: (more = {}, outageLimitMs = 600_000) =>
      createKafkaSource({ ...settings, ...more }, { decoder, runtime, log: cluster, outageLimitMs }),
  };
}

/** Reads until `done`, and gives the position reached. `each` runs after every pull. */
export async function readUntil(
  source: Source,
  from: Position,
  done: (position: Position) => boolean,
  each: (pull: number) => void = () => {},
): Promise<Map<string, string>> {
  const position = new Map(from);
  const stop = new AbortController();
  let pulls = 0;
  for await (const batch of source.read(from, stop.signal)) {
    for (const [split, point] of batch.ends) position.set(split, point);
    each(++pulls);
    if (pulls > 5_000) throw new Error(`no end in sight at ${JSON.stringify([...position])}`);
    if (done(position)) break;
  }
  return position;
}

/** Whether a split has come to a point. */
export const at = (split: string, point: number) => (position: Position) => position.get(split) === String(point);
