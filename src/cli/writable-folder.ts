import { access, constants, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { FrazilError } from "../core/errors.ts";
import { localPath } from "../storage/local-path.ts";

/**
 * The folder that is there already and in which a local warehouse is made.
 *
 * @throws FrazilError `permission` when it cannot be written to, `config` when a file stands in the way.
 */
export async function writableFolder(location: string): Promise<string> {
  for (let path = location.startsWith("file:") ? localPath(location) : resolve(location); ; path = dirname(path)) {
    const found = await stat(path).catch(() => null);
    if (found === null) continue;
    if (!found.isDirectory()) throw new FrazilError("config", "NOT_A_FOLDER", `${path} is a file, not a folder`);
    try {
      await access(path, constants.W_OK | constants.X_OK);
    } catch (cause) {
      const hint = `let this user write there, or choose another warehouse.location`;
      throw new FrazilError("permission", "FOLDER_READ_ONLY", `${path} cannot be written to`, { cause, hint });
    }
    return path;
  }
}
