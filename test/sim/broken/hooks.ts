import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { BROKEN_BUILDS } from "./builds.ts";

/**
 * Preloaded (`node --import`) by processes that simulate a broken build, named by `FRAZIL_SIM_BROKEN`: the module is patched as it is
 * loaded, so that the engine's own files know nothing of it.
 */
const name = process.env["FRAZIL_SIM_BROKEN"];
const build = BROKEN_BUILDS.find((each) => each.name === name);
if (build === undefined) throw new Error(`there is no broken build ${String(name)}`);
const root = new URL("../../../", import.meta.url);
const target = new URL(build.file, root).href;
const text = readFileSync(new URL(target), "utf8");
if (text.split(build.find).length !== 2) {
  throw new Error(
    `${build.name}: ${build.file} holds what is to be replaced ${text.split(build.find).length - 1} times`,
  );
}
registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    return url === target ? { ...loaded, source: text.replace(build.find, () => build.replace) } : loaded;
  },
});
