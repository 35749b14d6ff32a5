import { z } from "zod";
import { whole } from "../../config/scalars.ts";

/** `source:` of a job with `type: generator`. */
export interface GeneratorSettings {
  readonly type: "generator";
  /** Equal seeds give equal changelogs. */
  readonly seed: number;
  /** Where the changelog ends: the number of its events over all splits. */
  readonly events: number;
  /** Events per second over all splits; null = as fast as they are taken. */
  readonly rate: number | null;
  /** Splits, named `generator/0`, `generator/1`, …: part of what the changelog is, like the seed. */
  readonly splits: number;
}

/** Reads `GeneratorSettings` from a job file. */
export const generatorSchema = z
  .strictObject({
    type: z.literal("generator"),
    seed: whole(0, 0xffff_ffff).prefault(1).describe("Equal seeds give equal changelogs."),
    events: whole(0, 0x7fff_ffff).prefault(1_000_000).describe("Where the changelog ends: the number of its events."),
    rate: whole(1).optional().describe("Events per second over all splits. Default: as fast as they are taken."),
    splits: whole(1, 64)
      .prefault(2)
      .describe("Parts that are read side by side. Part of what the changelog is, like the seed."),
  })
  .transform(({ rate, ...settings }): GeneratorSettings => ({ ...settings, rate: rate ?? null }))
  .describe(
    "A made-up shop's changelog (`shop.customers`, `shop.orders`, `shop.order_events`), for trying things out. Needs no server.",
  );
