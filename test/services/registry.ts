import { installIcebergRest, startIcebergRest } from "./iceberg-rest.ts";
import { startKafka } from "./kafka.ts";
import { installKafka } from "./kafka-install.ts";
import { installMinio, startMinio } from "./minio.ts";
import { installPostgres, startPostgres } from "./postgres.ts";
import type { Progress } from "./progress.ts";
import type { RunningServer, StartOptions } from "./server.ts";
import { installSeaweedfs } from "./seaweedfs.ts";
import { startSeaweedfsRest } from "./seaweedfs-rest.ts";
import { installVersitygw, startVersitygw } from "./versitygw.ts";

export const serverNames = ["kafka", "minio", "versitygw", "iceberg-rest", "seaweedfs-rest", "postgres"] as const;

export type ServerName = (typeof serverNames)[number];

type ServerKind = {
  /** Makes the server's programs ready on this machine; throws Unavailable when that cannot be done here. */
  install(progress: Progress): Promise<unknown>;
  start(options: StartOptions): Promise<RunningServer>;
};

/** Every server that `npm run services` and the tests can start. */
export const servers: Readonly<Record<ServerName, ServerKind>> = {
  kafka: { install: installKafka, start: startKafka },
  minio: { install: installMinio, start: startMinio },
  versitygw: { install: installVersitygw, start: startVersitygw },
  "iceberg-rest": { install: installIcebergRest, start: startIcebergRest },
  "seaweedfs-rest": { install: installSeaweedfs, start: startSeaweedfsRest },
  postgres: { install: installPostgres, start: startPostgres },
};
