import { z } from "zod";
import { text } from "./scalars.ts";
import { type TlsSettings, tlsSchema } from "./tls-schema.ts";

/** `warehouse.catalog` of type `postgres`. */
export interface PostgresCatalogSettings {
  readonly type: "postgres";
  /** The `catalog_name` of the rows. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password?: string | undefined;
  readonly tls: TlsSettings | null;
}

const DEFAULT_PORT = 5432;

/** The block of a catalog in a PostgreSQL database. */
export const postgresCatalogSchema = z
  .strictObject({
    type: z.literal("postgres"),
    name: text().default("frazil").describe("The `catalog_name` of its rows."),
    uri: text()
      .meta({ example: "postgres://frazil@localhost:5432/lake" })
      .describe("`postgres://user@host:port/database`, without a password. The port defaults to 5432."),
    password: text()
      .optional()
      .describe("The user's password; better a `${VARIABLE}` than the text itself. Without it `PGPASSWORD` counts."),
    tls: tlsSchema.prefault(false).describe("`true`, or whom to trust and who we are. Default: false."),
  })
  .transform(({ uri, ...value }, context): PostgresCatalogSettings => {
    // Lint leaves a variable without a value in place.
    if (uri.startsWith("${")) return { ...value, host: "", port: DEFAULT_PORT, database: "", user: "" };
    const address = parseUri(uri);
    if (typeof address !== "string") return { ...value, ...address };
    context.addIssue({ code: "custom", path: ["uri"], message: address });
    return z.NEVER;
  })
  .describe(
    "A PostgreSQL database as Java's JDBC catalog and PyIceberg lay it out; all tables of a checkpoint commit in one transaction.",
  );

/** Where a server is and who asks; else what is wrong with the address. The address itself is not shown: it may hold a password. */
function parseUri(uri: string): Pick<PostgresCatalogSettings, "host" | "port" | "database" | "user"> | string {
  const expected = "must be postgres://user@host:port/database";
  if (!/^postgres(ql)?:\/\//.test(uri)) return expected;
  let url: URL;
  try {
    url = new URL(uri);
  } catch {
    return expected;
  }
  if (url.password !== "") return "must hold no password: write it as password: ${POSTGRES_PASSWORD}";
  if (url.search !== "" || url.hash !== "") return `${expected}, without parameters: TLS has a setting of its own`;
  const [database, user] = [url.pathname.slice(1), url.username].map(decodeURIComponent) as [string, string];
  if (database === "" || user === "" || url.hostname === "") return expected;
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return { host, port: url.port === "" ? DEFAULT_PORT : Number(url.port), database, user };
}
