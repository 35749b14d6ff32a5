import { setPriority } from "node:os";
import { BESIDE } from "./projects.ts";

// Of tests that only compute: beside others they take what those leave idle, and nothing from servers and clocks that go on. By hand they
// run as all tests do.
if (process.env[BESIDE] !== undefined) setPriority(19);
