import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

/** An answer without error; what else it holds depends on the request. */
export type Answer = { id: number; error?: string; lines?: string[]; many?: Answer[] };

type Pending = { resolve(answer: Answer): void; reject(error: Error): void };

/** A process that answers requests. */
export interface Conversation {
  ask(request: object): Promise<Answer>;
  /** Closes its input and waits until it has gone. */
  end(): Promise<void>;
}

/**
 * Talks to a process that reads one JSON object a line and answers with one, in any order, matched by id. A request that takes longer
 * than `timeoutMs` ends the process and every request with it.
 */
export function converse(child: ChildProcess, timeoutMs: number): Conversation {
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error("expected the readers' pipes, found none");
  const pending = new Map<number, Pending>();
  let nextId = 1;
  let complaints = "";
  let failure: Error | null = null;

  stderr.on("data", (chunk: Buffer) => (complaints = (complaints + chunk.toString("utf8")).slice(-4000)));
  createInterface({ input: stdout }).on("line", (line) => {
    const answer = JSON.parse(line) as Answer;
    const waiting = pending.get(answer.id);
    pending.delete(answer.id);
    if (answer.error === undefined) waiting?.resolve(answer);
    else waiting?.reject(new Error(answer.error));
  });
  const fail = (error: Error) => {
    failure ??= error;
    for (const waiting of pending.values()) waiting.reject(failure);
    pending.clear();
  };
  child.once("error", fail);
  stdin.on("error", fail);
  child.once("close", (code, signal) => fail(new Error(`the readers ended (${code ?? signal}): ${complaints}`)));

  const ask = async (request: object): Promise<Answer> => {
    if (failure !== null) throw failure;
    const id = nextId++;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Answer>((resolve, reject) => {
        timer = setTimeout(() => {
          fail(new Error(`the readers gave no answer in ${timeoutMs} ms to ${JSON.stringify(request)}`));
          child.kill("SIGKILL");
        }, timeoutMs);
        pending.set(id, { resolve, reject });
        stdin.write(`${JSON.stringify({ id, ...request })}\n`);
      });
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    ask,
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => void child.once("exit", resolve));
      stdin.end();
      await gone;
    },
  };
}
