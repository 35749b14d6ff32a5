import { gzip } from "../codec/compress.ts";
import { METADATA_CODEC } from "./apply.ts";
import { tableMetadataBytes } from "./metadata-bytes.ts";
import { GZIPPED, METADATA_SUFFIX } from "./metadata-name.ts";
import type { TableMetadata } from "./table-metadata.ts";

/**
 * The metadata file of a table: its bytes, compressed as the table's property says, and the end of its name, by which readers tell.
 * @throws FrazilError `unsupported` for compressed ones outside of Node
 */
export async function metadataFile(
  metadata: TableMetadata,
): Promise<{ readonly suffix: string; readonly bytes: Uint8Array }> {
  const bytes = tableMetadataBytes(metadata);
  // Other values count as none here: whoever sets one is told (`applyUpdates`), and what others have set must not keep a job from its commit.
  if (metadata.properties.get(METADATA_CODEC)?.toLowerCase() !== "gzip") return { suffix: METADATA_SUFFIX, bytes };
  return { suffix: GZIPPED + METADATA_SUFFIX, bytes: await gzip(bytes) };
}
