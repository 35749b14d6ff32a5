/** Receives one line about something slow that goes on. */
export type Progress = (line: string) => void;

/** Progress on stderr, so that stdout stays for data. */
export const progressOnStderr: Progress = (line) => void process.stderr.write(`services: ${line}\n`);

/** How often a long step says that it is still at work. */
const heartbeatMs = 15_000;

/** Runs `work`, reporting `what` at its start, every 15 s while it lasts, and at its end with the seconds it took. */
export async function withHeartbeat<T>(progress: Progress, what: string, work: () => Promise<T>): Promise<T> {
  const startMs = performance.now();
  const seconds = () => Math.round((performance.now() - startMs) / 1000);
  progress(what);
  const timer = setInterval(() => progress(`${what}: still at work after ${seconds()} s`), heartbeatMs);
  try {
    const result = await work();
    progress(`${what}: done in ${seconds()} s`);
    return result;
  } finally {
    clearInterval(timer);
  }
}
