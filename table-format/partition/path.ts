import type { Value } from "../manifest/data-file.ts";
import type { PartitionSpec } from "../metadata/table-metadata.ts";
import type { Schema } from "../schema/types.ts";
import { humanText } from "./human-text.ts";
import { bindSpec } from "./spec.ts";

/** Folder names longer than this are cut: file systems stop at 255 bytes. The folder is for people; readers take the values from manifests. */
const MAX_SEGMENT_LENGTH = 200;

/**
 * The folder of a partition's files, Hive style and URL-encoded: `created_at_day=2026-11-20/id_bucket=3`; empty when unpartitioned.
 * As Java's `PartitionSpec.partitionToPath` has it, but for names that are cut.
 */
export function partitionPath(spec: PartitionSpec, schema: Schema, tuple: readonly (Value | null)[]): string {
  return bindSpec(spec, schema)
    .map((bound, i) => {
      const value = tuple[i] ?? null;
      const text = value === null ? "null" : humanText(bound, value);
      return `${encode(bound.field.name)}=${encode(text)}`.slice(0, MAX_SEGMENT_LENGTH).replace(/%[0-9A-F]?$/, "");
    })
    .join("/");
}

/** As Java's URLEncoder: letters, digits and `.-*_` stay, space becomes `+`, half a surrogate pair a question mark. */
function encode(text: string): string {
  return encodeURIComponent(text.replace(/\p{Surrogate}/gu, "?"))
    .replace(/%20/g, "+")
    .replace(/[!'()~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
