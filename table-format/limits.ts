/** Every limit of the table format, with its reason. */

/** Avro schemas refer to types by name and may nest; a manifest's is five levels deep. Stops the parser's recursion on hostile files. */
export const MAX_AVRO_SCHEMA_DEPTH = 64;

/** The most one Avro block may grow when decompressed: far above any writer's block, below what would endanger the process. */
export const MAX_AVRO_BLOCK_BYTES = 256 * 1024 * 1024;

/** All blocks of an Avro file together, which is held at once: manifests are cut at 8 MiB and compress about ten to one. */
export const MAX_AVRO_FILE_BYTES = 512 * 1024 * 1024;

/** Manifests read or written at once: hides a store's latency; more would only hold more of them in memory. */
export const MANIFESTS_AT_ONCE = 16;

/** Delete files read at once: mostly small ranges of one Puffin file, whose latency adds up otherwise. */
export const DELETE_FILES_AT_ONCE = 16;

/** So often are bytes read that turn out to be broken: twice in a row a network does not change them. */
export const READ_ATTEMPTS = 3;

/** Avro schemas whose decoders and encoders are kept: a warehouse of many tables has a few for each, and they cost a parse when forgotten. */
export const AVRO_SCHEMAS_KEPT = 64;

/** Characters of an Avro schema that is kept: a manifest's has some thousand, whatever the table. */
export const AVRO_SCHEMA_KEPT_LENGTH = 64 * 1024;

/** Nesting of types in a schema and of groups in a data file: far above any table's, below what would overflow the stack. */
export const MAX_TYPE_DEPTH = 64;

/** Objects and arrays within one another in a variant: as many as Jackson takes, by which Spark makes variants of JSON. Far below what would overflow the stack. */
export const MAX_VARIANT_DEPTH = 1_000;

/** JSON nesting that no schema reaches; a deeper text would overflow the stack. */
export const MAX_JSON_DEPTH = 200;

/** So much is compressed at once, in a millisecond or two; of more the event loop would notice. */
export const GZIP_AT_ONCE_BYTES = 512 * 1024;

/** Guards against a gzip bomb; the largest tables known have metadata files of some hundred MB. */
export const MAX_METADATA_BYTES = 1 << 30;

/** Metadata files, as they are stored, whose tables a catalog keeps: a table that others commit to is read anew each time, with all its snapshots. */
export const MAX_CACHED_METADATA_BYTES = 64 * 1024 * 1024;

/** The footer of a Parquet file: those of thousands of columns and row groups have some ten MB, and reading one takes many times its size. */
export const MAX_PARQUET_FOOTER_BYTES = 64 * 1024 * 1024;

/** The most one Parquet page may hold when decompressed: writers cut pages at 1 MiB, a value of 64 MiB makes a page of its own. */
export const MAX_PARQUET_PAGE_BYTES = 256 * 1024 * 1024;

/** Values of one Parquet page: a run-length page of a few bytes may claim any number. Writers cut at 20,000 rows, some at a row group. */
export const MAX_PARQUET_PAGE_VALUES = 16 * 1024 * 1024;

/** Rows of one Parquet row group, which is read at once: writers make groups of at most some million rows. */
export const MAX_PARQUET_GROUP_ROWS = 16 * 1024 * 1024;

/** The footer of a Puffin file: some hundred bytes a blob, and a commit has at most some ten thousand vectors. */
export const MAX_PUFFIN_FOOTER_BYTES = 64 * 1024 * 1024;

/** Bytes of a value of type fixed: a column has room for some rows from the start. */
export const MAX_FIXED_BYTES = 1024 * 1024;

/** Attempts of one request to a REST catalog that may be repeated; with the pauses below about three seconds. */
export const REST_ATTEMPTS = 5;

/** The pause before the second attempt; it doubles from attempt to attempt. */
export const REST_FIRST_PAUSE_MS = 200;

/** The longest wait that a server's `Retry-After` is followed: a caller that waits for longer says so to its user. */
export const MAX_RETRY_AFTER_MS = 30_000;

/** How long before its end a token or a lent credential is replaced: longer than any request is on its way. */
export const TOKEN_EARLY_MS = 60_000;

/** Characters of a server's message that are shown: proxies answer with whole pages. */
export const MAX_REST_ERROR_LENGTH = 600;

/** Pages of one list: a server that gives the same page for ever must not hang us. */
export const MAX_REST_PAGES = 100_000;

/** Names asked for in one page of a list. */
export const REST_PAGE_SIZE = 1_000;

/** Files of a dropped table that are deleted at once: hides a store's latency. */
export const FILES_DELETED_AT_ONCE = 16;

/** Levels of `and`, `or` and `not` in a filter: far above what people and programs write, below what would overflow the stack. */
export const MAX_EXPRESSION_DEPTH = 1_000;

/** Keys of rows held at once while those that went are matched with those that came, some hundred bytes each; of more several passes are made. */
export const MATCHED_ROWS_HELD = 500_000;

/** Files of manifests kept while two snapshots are compared, at 1 to 5 kB each: most are asked for two or three times. */
export const DIFFED_ENTRIES_HELD = 10_000;

/** Keys of equality deletes held by a reader, some 80 bytes each: those of a day of a busy table, so that none is read for each data file. */
export const EQUALITY_KEYS_HELD = 2_000_000;

/** Data files whose first rows are read while a scan gives those of the file before, so that an object store's answers are awaited together. */
export const SCANNED_FILES_AHEAD = 8;

/** Bytes of such files: of large ones a single file is read at a time. */
export const SCANNED_BYTES_AHEAD = 32 * 1024 * 1024;

/** Partitions that rows are written to at once: each holds a row group of 32 MiB at most. Of more, the one that had no rows for longest ends its file. */
export const OPEN_PARTITIONS = 16;
