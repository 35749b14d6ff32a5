import { expect, test } from "vitest";
import { keepMessages, messageOf } from "../../../src/core/kept-messages.ts";
import { debeziumJson } from "../../../src/formats/debezium-json/format.ts";
import { RuleRouter } from "../../../src/sink/layout/router.ts";
import { upsertRule } from "../../support/checkpoints.ts";
import { slabOf } from "../../support/slab.ts";

test.each([1, 2])(
  "the message of a row that leaves a value out is found in generation %i of its stream",
  (generation) => {
    const router = new RuleRouter([upsertRule("a")], new Map());
    const decoder = keepMessages(debeziumJson.createDecoder(router, { inferred() {}, unrouted() {} }, null));
    const update = (id: number, value: string) => ({
      key: { id },
      value: { before: null, after: { id, value }, op: "u" },
    });
    const messages = [update(1, "x"), update(2, "__debezium_unavailable_value"), update(3, "y")];
    const [batch] = decoder.decode({ ...slabOf(messages, "a", 40n), generation });
    if (batch === undefined) throw new Error("expected a batch");
    expect(batch.points.after(1)).toBe(generation === 1 ? "42" : "42@2");
    const kept = messageOf(batch, 1);
    expect(kept?.slab.offsets[kept.message]).toBe(41n);
    expect(kept?.slab.generation).toBe(generation);
  },
);
