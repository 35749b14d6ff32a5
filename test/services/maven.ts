import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Progress, withHeartbeat } from "./progress.ts";
import { requireTool, runTool } from "./tools.ts";

const indent = "    ";

/** A dependency as a line of a project; `inside` is XML that follows the version. */
export function dependency(group: string, artifact: string, version: string, inside = ""): string {
  const name = `<groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>`;
  return `${indent}<dependency>${name}${inside}</dependency>`;
}

/** Leaves out what a dependency itself depends on. */
export const ALONE = `
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>`;

/** A Maven project that is nothing but its dependencies. */
export function mavenProject(name: string, dependencies: readonly string[]): string {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>frazil</groupId><artifactId>${name}</artifactId><version>1</version>
  <dependencies>
${dependencies.join("\n")}
  </dependencies>
  <build><plugins><plugin><artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version></plugin></plugins></build>
</project>
`;
}

/** A name for what a project brings: so many hexadecimal digits of its text, and of what else decides. */
export function projectHash(digits: number, project: string, more = ""): string {
  return createHash("sha256").update(project).update(more).digest("hex").slice(0, digits);
}

/** What is fetched, for people: the program, and what `fetching` says while it goes on. */
export interface Fetched {
  readonly program: string;
  readonly fetching: string;
  /** The folder that the jars come to, below that of the project. */
  readonly into: string;
  readonly options?: readonly string[];
}

/** Fetches the jars of a project into a folder, which keeps the project, too. @throws Unavailable where Maven is missing. */
export async function fetchJars(folder: string, project: string, fetched: Fetched, progress: Progress): Promise<void> {
  const { program, fetching, into, options = [] } = fetched;
  const maven = requireTool("mvn", program, "install Maven, for example `apt-get install maven`");
  const pomFile = join(folder, "pom.xml");
  writeFileSync(pomFile, project);
  const target = `-DoutputDirectory=${join(folder, into)}`;
  await withHeartbeat(progress, fetching, () =>
    runTool(maven, ["-q", "-B", "-f", pomFile, "dependency:copy-dependencies", ...options, target]),
  );
}
