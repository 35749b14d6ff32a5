/** Every bound of the engine in one place, each with its reason. */

/**
 * Attempts of one S3 request that may be repeated (reads, unconditional writes): with the pauses below about three seconds, long
 * enough for a dropped connection or a throttled prefix. A store that stays away is the pipeline's matter, which says so and waits.
 */
export const S3_ATTEMPTS = 6;

/** The pause before the second attempt; it doubles from attempt to attempt. Half of each pause is random, so that writers spread. */
export const S3_FIRST_PAUSE_MS = 100;

/** The longest pause between two attempts. */
export const S3_LONGEST_PAUSE_MS = 4_000;

/** Time to a connection. A store on the same continent answers in milliseconds. */
export const S3_CONNECT_TIMEOUT_MS = 5_000;

/** Time from a request's first byte to its answer's head: 16 MiB at 300 KB/s. */
export const S3_REQUEST_TIMEOUT_MS = 60_000;

/** Silence on the connection while an answer's body is read. */
export const S3_IDLE_TIMEOUT_MS = 30_000;

/** Size of a part of a multipart upload. S3 asks for at least 5 MiB; with at most 10,000 parts an object reaches 78 GiB. */
export const S3_PART_BYTES = 8 * 1024 * 1024;

/** Parts on their way per upload. With the part being filled this is what an open upload holds in memory: 24 MiB. */
export const S3_PARTS_IN_FLIGHT = 2;

/** S3's own bound. */
export const S3_MAX_PARTS = 10_000;

/** The largest object sent in one request; beyond it a lost connection would cost too much again. */
export const S3_SINGLE_PUT_BYTES = 16 * 1024 * 1024;

/** Time from a request to a catalog to the end of its answer. Java's client waits as long as the connection lasts. */
export const HTTP_TIMEOUT_MS = 60_000;

/** Bytes of one answer: a table of 10,000 snapshots has 10 MB of metadata, and all of it is held at once. */
export const HTTP_ANSWER_BYTES = 512 * 1024 * 1024;

/** Time to a connection to a broker. A broker on the same continent answers in milliseconds; a lost packet is sent again twice. */
export const KAFKA_CONNECT_TIMEOUT_MS = 10_000;

/** Time from a request to its answer, the wait of a fetch not counted. Java's client waits as long. */
export const KAFKA_REQUEST_TIMEOUT_MS = 30_000;

/** The pause before the second attempt at a broker; it doubles from attempt to attempt. A leader election takes about as long. */
export const KAFKA_FIRST_PAUSE_MS = 250;

/** The longest pause between two attempts: what an outage costs at most beyond its own length, and the space of its log lines. */
export const KAFKA_LONGEST_PAUSE_MS = 10_000;

/** How long brokers may stay away when a job starts: long enough for a stack that starts all at once, short enough for a typo. */
export const KAFKA_START_LIMIT_MS = 60_000;

/** How long topic partitions may stay unreadable in a running job before it ends with exit 69: a rolling upgrade of a cluster. */
export const KAFKA_OUTAGE_LIMIT_MS = 600_000;

/** How often the topics are looked up for new ones and new partitions, which are to be found within a minute. */
export const KAFKA_METADATA_MS = 30_000;

/** How long a topic may be unknown to the cluster before it counts as deleted: brokers that just started know it late. */
export const KAFKA_TOPIC_GONE_MS = 60_000;

/** How long a broker holds back the answer to a fetch that finds nothing. */
export const KAFKA_FETCH_WAIT_MS = 500;

/** Bytes of one answer, split among the brokers. Two of them are held at a time: the one being decoded and the one ahead. */
export const KAFKA_FETCH_BYTES = 16 * 1024 * 1024;

/** The share of the memory budget that an answer may take where that is less. Four times as much is held: it comes in pieces, which are joined. */
export const KAFKA_FETCH_SHARE = 1 / 32;

/** Bytes of one topic partition in an answer. Small enough that several take part; one larger batch comes whole all the same. */
export const KAFKA_PARTITION_FETCH_BYTES = 4 * 1024 * 1024;

/** Decompressed size of one record batch. Producers fill batches of 16 KiB to a few MiB; more than this is an attack or a mistake. */
export const KAFKA_MAX_BATCH_BYTES = 128 * 1024 * 1024;

/** Decompressed bytes handed to the decoder at a time, and so between two pulls; one larger batch comes whole. */
export const KAFKA_SLAB_BYTES = 8 * 1024 * 1024;

/** An idle source says so this often, so that the pipeline can close a checkpoint. */
export const KAFKA_IDLE_MS = 1_000;

/** How long a committed checkpoint waits for the group's offsets, which only lag tools read. */
export const KAFKA_ACKNOWLEDGE_MS = 5_000;

/** Files fetched at once for a query over a remote warehouse: enough to hide the round trips. */
export const QUERY_FETCHES_IN_FLIGHT = 8;

/** Bytes of one range request of such a fetch: with the line above, at most 64 MiB in memory. */
export const QUERY_FETCH_BYTES = 8 * 1024 * 1024;

/** How often the catalog is asked for a new snapshot by a reader that follows: a small read each, and half of the wait is what freshness loses. */
export const FOLLOW_POLL_MS = 500;

/** Rows of a table that its source hands over at a time: long runs in each column, and a checkpoint can close between two. */
export const TABLE_SOURCE_ROWS = 16_384;

/** How long a table that is read may not be there when a job starts: as long as a stack takes that starts all at once. */
export const TABLE_START_LIMIT_MS = 60_000;

/** How long the store or the catalog of a table that is read may stay away in a running job before it ends with exit 69. */
export const TABLE_OUTAGE_LIMIT_MS = 600_000;

/** Attempts at one write of a consumer's position, and the pause before the second: a server that restarts is back within them. */
export const CONSUMER_ATTEMPTS = 8;
export const CONSUMER_RETRY_MS = 200;

/** Commits that a consumer may read ahead of those that it has committed: their ids stand in its position, 20 bytes each. */
export const CONSUMER_UNCOMMITTED = 1_000;

/** How long after its last step forward a consumer keeps the snapshots that it has yet to read from being expired. */
export const CONSUMER_HOLDS_MS = 7 * 24 * 3_600_000;

/** How often a reader that waits for commits says that it is still there, so that it keeps what comes next. */
export const CONSUMER_REFRESH_MS = 3_600_000;

/** How often a job tells the table that it reads how far it has come: expiry runs far less often than checkpoints are committed. */
export const READ_HOLD_EVERY_MS = 10_000;

/** How long a query keeps the snapshot that it reads from being expired, if it does not end before: longer than any query should take. */
export const READER_HOLDS_MS = 6 * 3_600_000;

/** Rows of a record batch, and of a batch of changes, that the library hands out: large enough for columns, small enough to hold. */
export const LIBRARY_BATCH_ROWS = 65_536;

/** Checkpoints that wait for somebody who asks for them, at some 200 bytes a table: a job goes on when nobody does. */
export const UNREAD_CHECKPOINTS = 1_000;

/** Entries of manifests kept in memory by a running job, at 1 to 5 kB each: the files of large tables, without which each commit reads them anew. */
export const MANIFEST_CACHE_ENTRIES = 8_000;

/** Of a small memory budget one entry for so many bytes, which is a sixteenth of it or less. */
export const MANIFEST_CACHE_BYTES_PER_ENTRY = 80 * 1024;

/** Position delete files of a checkpoint on their way at once: each is small, so their round trips are what counts. */
export const DELETE_FILES_IN_FLIGHT = 16;

/** Data files whose keys are read at once when the window of `dedupe` is filled: round trips are what counts. */
export const DEDUPE_FILES_IN_FLIGHT = 4;

/** Changes of each split that `check` looks through for keys that lie in two of them: a common mistake shows in the first few. */
export const CHECK_SAMPLE_ROWS = 1_000;

/** How long `check` reads for that: what somebody waits who asks. */
export const CHECK_SAMPLE_MS = 10_000;

/** Messages of a run before their share of dead letters counts: of fewer, one bad message would be a high share. */
export const DEAD_LETTER_SHARE_FROM = 1_000;

/** Dead letters that the error shows when there are too many: enough to see whether they have one cause. */
export const DEAD_LETTERS_SHOWN = 5;

/** Manifests and manifest lists read, and files deleted, at once when snapshots expire: round trips are what counts. */
export const EXPIRE_REQUESTS_IN_FLIGHT = 16;

/**
 * Snapshots of a branch that stay where nobody says for how long: each is up to 1 kB of metadata that every commit writes anew and every reader
 * parses. A commit takes 28 ms of processor and 2 MB with 2,000 of them, 15 ms with 100, 52 ms and 5 MB with 5,000, and 600 ms and 45 MB with
 * the 43,200 of five days at one each ten seconds.
 */
export const EXPIRE_MAX_SNAPSHOTS = 2_000;

/** How young a snapshot is that goes for no number: longer than what a query takes that has said nowhere that it reads. */
export const EXPIRE_SPARED_MS = 3_600_000;

/** Entries of manifests that a rewrite sorts together: at 1 to 5 kB each what a small machine can spare beside a job. */
export const MANIFEST_ENTRIES_SORTED = 50_000;

/** Folders below a warehouse's in which tables are looked for to tell its catalog: two levels of namespaces. More could walk a whole disk. */
export const WAREHOUSE_SEARCH_LEVELS = 3;

/** Size of the files that a compaction makes unless told otherwise: large enough that opening them costs readers nothing, small enough to be read in parallel. */
export const COMPACT_TARGET_BYTES = 256 * 1024 * 1024;

/** So many small files of a partition are joined unless told otherwise: with fewer each row would be rewritten too often. */
export const COMPACT_MIN_FILES = 8;
/**
 * A file is rewritten for its deletes alone from this share of deleted rows on, by what runs again and again: below it scans lose little, and
 * each row is written seven times at most while all rows are replaced once.
 */
export const COMPACT_DELETE_RATIO = 0.15;
/** The same when somebody compacts by hand, who wants readers to find few deletes: engines that read all of them to plan need half as long for a row. */
export const COMPACT_ONCE_DELETE_RATIO = 0.05;

/** What runs again and again joins a file with smaller ones when they come to this share of it: a row is written about twelve times until its file is large. */
export const COMPACT_GROWTH_SHARE = 0.5;

/** Memory of a rewrite unless told otherwise: beside a job on a small machine it is not noticed. */
export const COMPACT_MEMORY_BYTES = 256 * 1024 * 1024;

/** Bytes of data files that one commit of a compaction replaces: what is lost when it is stopped, and the conflict it may run into, stay small. */
export const COMPACT_COMMIT_BYTES = 4 * 1024 * 1024 * 1024;

/** Rows that a rewrite sorts and hands to the encoder at a time: long runs in each column, and a short turn of the event loop. */
export const COMPACT_BATCH_ROWS = 32_768;

/** Sorted runs that are merged at a time. With more, the row group of each that is in memory would become too small to read well. */
export const COMPACT_RUNS_MERGED = 64;

/** Commits that one compaction by Spark may make: more than it has groups, so that each group is one. */
export const SPARK_COMMITS = 100_000;

/** How often Spark tries a call that loses against the commits of jobs. More would rewrite the same files for nothing. */
export const SPARK_ATTEMPTS = 5;

/** Bytes at the end of Spark's log in which a failure before its first call is looked for. */
export const SPARK_LOG_TAIL_BYTES = 256 * 1024;

/** How long a compaction's tag keeps the snapshot that it reads if the process dies: longer than any compaction takes. */
export const COMPACT_PIN_MS = 24 * 3_600_000;

/** A rewrite's files are committed within this time or not at all: after a day they may be cleaned away as orphans. */
export const MAINTENANCE_COMMIT_MS = 20 * 3_600_000;

/** Bytes of an object of the maintenance history before the next one is begun: each run writes it anew. */
export const MAINTENANCE_HISTORY_OBJECT_BYTES = 64 * 1024;

/** Objects of the maintenance history: at 200 runs each, 200,000 runs in 64 MiB, the oldest go first. */
export const MAINTENANCE_HISTORY_OBJECTS = 1_000;

/** Records of maintenance that wait for a store that is gone: 2 MiB. */
export const MAINTENANCE_UNSAVED_RECORDS = 5_000;

/** How often the service looks for new tables at least and at most; in between, as seldom as listing takes two percent of the time. */
export const MAINTENANCE_LISTED_MS = { least: 10_000, most: 600_000, pauseOfTimeTaken: 50 } as const;

/** Tables that the service works on at once unless told otherwise: each holds a rewrite's memory. */
export const MAINTENANCE_CONCURRENCY = 2;

/** Listed files of a table that are held at once while it is read which of them it reaches: 250 bytes each. Larger tables are read in rounds. */
export const ORPHAN_CANDIDATES_HELD = 500_000;

/** Orphans deleted between two points where a crash is looked at: a few seconds' work. */
export const ORPHANS_PER_BATCH = 500;

/** Disk that the kept keys of all jobs of a user may take before those that were not used for longest go: 2.5 billion whole numbers. */
export const KEY_CACHE_BYTES = 32 * 1024 ** 3;

/** Memory in which `verify` counts the keys of a table; what does not fit goes to a temporary folder. */
export const VERIFY_MEMORY_BYTES = 512 * 1024 * 1024;

/** Findings of one kind that `verify` shows of a table: enough to see what they have in common. */
export const VERIFY_FINDINGS_SHOWN = 20;

/** Objects that `check` writes to see whether a list of more than a page is whole: S3's pages hold 1,000. */
export const PROBE_OBJECTS = 1_005;

/** Requests of such a probe on their way at once. */
export const PROBE_REQUESTS_IN_FLIGHT = 16;

/** Entries to a page of the list that each start asks a store for: two full pages and one more cost three small objects. */
export const PROBE_LIST_PAGE = 1;

/** How far a store's clock may be from this machine's: S3 refuses signatures that are 15 minutes off. */
export const PROBE_CLOCK_MS = 10 * 60_000;

/** Rows of doubled keys that one `repair` deletes: what it holds in memory. Of more, the rest is left to the next. */
export const REPAIRED_ROWS = 500_000;

/** Ranges of the hashes of keys in which `verify --source` compares a table with its source: few lines, and each narrows down where to look. */
export const COMPARED_RANGES = 64;

/** Keys held at a time while the source is folded: 100 bytes each. With more the source is read again for the other ranges. */
export const COMPARED_KEYS = 2_000_000;

/** Connections of a catalog in a database server: a job's commits, its maintenance and its readers ask at the same time, and servers have a hundred. */
export const CATALOG_CONNECTIONS = 4;

/** How long a catalog's server may take to accept a connection. */
export const CATALOG_CONNECT_MS = 10_000;

/** How long it may take to answer a statement: longer than it waits for a lock. */
export const CATALOG_ANSWER_MS = 30_000;

/** How long a commit waits for the rows of another one: those of this program take milliseconds. */
export const CATALOG_LOCK_MS = 10_000;

/** After this the server takes back the transaction of a process that it no longer hears: none of ours pauses for a second. */
export const CATALOG_IDLE_TRANSACTION_MS = 30_000;

/** Attempts to reach a catalog's server; with the pauses below six seconds, in which one starts again. */
export const CATALOG_ATTEMPTS = 6;

/** The pause after the first attempt; it doubles from attempt to attempt. */
export const CATALOG_FIRST_PAUSE_MS = 200;
