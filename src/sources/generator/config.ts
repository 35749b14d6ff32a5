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
    seed: whole(0, 0xffff_ffff).default(1),
    events: whole(0, 0x7fff_ffff).default(1_000_000),
    rate: whole(1).optional(),
    splits: whole(1, 64).default(2),
  })
  .transform(({ rate, ...settings }): GeneratorSettings => ({ ...settings, rate: rate ?? null }));
