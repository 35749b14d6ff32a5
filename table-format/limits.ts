/** Every limit of the table format, with its reason. */

/** Avro schemas refer to types by name and may nest; a manifest's is five levels deep. Stops the parser's recursion on hostile files. */
export const MAX_AVRO_SCHEMA_DEPTH = 64;

/** The most one Avro block may grow when decompressed: far above any writer's block, below what would endanger the process. */
export const MAX_AVRO_BLOCK_BYTES = 256 * 1024 * 1024;

/** Manifests read or written at once: hides a store's latency; more would only hold more of them in memory. */
export const MANIFESTS_AT_ONCE = 16;

/** Delete files read at once: mostly small ranges of one Puffin file, whose latency adds up otherwise. */
export const DELETE_FILES_AT_ONCE = 16;

/** Avro schemas whose decoders and encoders are kept: a warehouse of many tables has a few for each, and they cost a parse when forgotten. */
export const AVRO_SCHEMAS_KEPT = 64;

/** Characters of an Avro schema that is kept: a manifest's has some thousand, whatever the table. */
export const AVRO_SCHEMA_KEPT_LENGTH = 64 * 1024;
