import { readFile } from "node:fs/promises";
import { z } from "zod";
import { FrazilError } from "../core/errors.ts";
import { flag, text } from "./scalars.ts";

/** Each one a PEM text or the path of a PEM file; absent: Node's authorities, no client certificate. */
export interface TlsSettings {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** A `tls:` setting of a server that is reached; null: without. */
export const tlsSchema = z
  .union([
    flag(),
    z.strictObject({
      ca: text()
        .optional()
        .describe("Authorities to trust: a PEM text or the path of a PEM file. Default: those that Node brings."),
      cert: text().optional().describe("The client's certificate, likewise."),
      key: text().optional().describe("The client's private key, likewise."),
    }),
  ])
  .transform((value): TlsSettings | null => (value === true ? {} : value === false ? null : value));

/** Node's TLS options. @param code of the error @throws FrazilError `config` when a file cannot be read. */
export async function tlsOptions(settings: TlsSettings | null, code: string): Promise<object | null> {
  if (settings === null) return null;
  const options: Record<string, string> = {};
  for (const name of ["ca", "cert", "key"] as const) {
    const value = settings[name];
    if (value !== undefined) options[name] = value.includes("-----BEGIN") ? value : await readPem(name, value, code);
  }
  return options;
}

async function readPem(name: string, path: string, code: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new FrazilError("config", code, `tls.${name}: cannot read ${path}`, {
      cause,
      hint: "give the path of a PEM file, or the PEM text itself",
    });
  }
}
