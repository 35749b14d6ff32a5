/** The least Node that has what is used here, as `engines` of package.json says. */
export const LEAST_NODE = { major: 22, minor: 18 } as const;

/** What to say where Node is older; null where it is not. @param version as `process.versions.node` */
export function tooOld(version: string): string | null {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const { major: leastMajor, minor: leastMinor } = LEAST_NODE;
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return null;
  return (
    `error NODE_VERSION: expected Node.js ${leastMajor}.${leastMinor} or newer, found ${version}\n` +
    "hint: install a newer Node.js, or `npm install node`, which npx then finds first\n"
  );
}
