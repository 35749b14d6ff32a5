import { StateSet } from "./state-set.ts";

/** One kind of step. `step` gets a copy of a state: it returns false and leaves it alone, or changes it and returns true. */
export interface Action {
  readonly name: string;
  /** Something that goes wrong, or that nobody has to do: the way to the end must not need it. */
  readonly fault: boolean;
  readonly step: (state: Uint8Array) => boolean;
}

/** A protocol over states of `sizeBytes` small integers. The first of them is 0, or else the number of the broken invariant. */
export interface Model {
  readonly name: string;
  /** A multiple of 4. */
  readonly sizeBytes: number;
  readonly begin: (state: Uint8Array) => void;
  readonly actions: readonly Action[];
  /** Sets the first byte when a state is wrong. */
  readonly check: (state: Uint8Array) => void;
  readonly invariants: readonly string[];
  /** Nothing is left to do. */
  readonly isDone: (state: Uint8Array) => boolean;
  /** Makes states the same that differ only in who is who. */
  readonly canonical?: (state: Uint8Array) => void;
}

export interface Exploration {
  readonly model: string;
  readonly states: number;
  readonly steps: number;
  /** Steps on the shortest way to the farthest state. */
  readonly depth: number;
  readonly seconds: number;
  /** Whether every reachable state was seen. */
  readonly complete: boolean;
  readonly violation: Violation | null;
}

export interface Violation {
  readonly invariant: string;
  /** Names of the steps of a shortest way there. */
  readonly trace: readonly string[];
}

/** The invariant that stands for liveness. */
export const STUCK = "stuck: no way to the end without faults";

export interface Limits {
  readonly maxStates: number;
  /** Read by the caller's clock, milliseconds. */
  readonly nowMs: () => number;
}

/**
 * Visits every reachable state, nearest first, so that the first violation found has a shortest trace. When all states are seen and none is wrong,
 * looks for states from which no fault-free path leads to the end.
 */
export function explore(model: Model, { maxStates, nowMs }: Limits): Exploration {
  const startedMs = nowMs();
  const { actions, sizeBytes } = model;
  const set = new StateSet(sizeBytes);
  const edges = new Edges();
  const next = new Uint8Array(sizeBytes);
  const current = new Uint8Array(sizeBytes);
  const done: number[] = [];
  let steps = 0;
  let depth = 0;
  let levelEnd = 1;
  const report = (complete: boolean, violation: Violation | null): Exploration => ({
    model: model.name,
    states: set.size,
    steps,
    depth,
    seconds: (nowMs() - startedMs) / 1000,
    complete,
    violation,
  });
  model.begin(next);
  model.canonical?.(next);
  set.add(next, 0, 0);
  for (let index = 0; index < set.size; index++) {
    if (index === levelEnd) {
      levelEnd = set.size;
      depth++;
    }
    if (set.size > maxStates) return report(false, null);
    set.read(index, current);
    next.set(current);
    edges.begin();
    if (model.isDone(current)) done.push(index);
    for (let number = 0; number < actions.length; number++) {
      const action = actions[number] as Action;
      if (!action.step(next)) continue;
      steps++;
      model.check(next);
      if (next[0] !== 0) {
        depth++;
        const trace = [...traceTo(model, set, index), action.name];
        return report(false, { invariant: model.invariants[next[0] as number] ?? "unnamed", trace });
      }
      model.canonical?.(next);
      const to = set.add(next, index, number);
      if (!action.fault) edges.add(to);
      next.set(current);
    }
  }
  edges.begin();
  const stuck = edges.firstThatCannotReach(done, set.size);
  return report(true, stuck === null ? null : { invariant: STUCK, trace: traceTo(model, set, stuck) });
}

function traceTo(model: Model, set: StateSet, index: number): string[] {
  const names: string[] = [];
  for (let at = index; at !== 0; at = set.parent(at)) names.push((model.actions[set.action(at)] as Action).name);
  return names.toReversed();
}

/** The fault-free steps, by the states that they start from. */
class Edges {
  #targets = new Uint32Array(1 << 16);
  #count = 0;
  #starts = new Uint32Array(1 << 14);
  #sources = 0;

  /** What is added from here on belongs to the next state. */
  begin(): void {
    if (this.#sources === this.#starts.length) this.#starts = doubled(this.#starts);
    this.#starts[this.#sources++] = this.#count;
  }

  add(to: number): void {
    if (this.#count === this.#targets.length) this.#targets = doubled(this.#targets);
    this.#targets[this.#count++] = to;
  }

  /** The lowest state from which none of the goals can be reached, or null. To be called with every state begun and one more. */
  firstThatCannotReach(goals: readonly number[], states: number): number | null {
    const ends = new Uint32Array(states + 1);
    for (let i = 0; i < this.#count; i++) ends[(this.#targets[i] as number) + 1]!++;
    for (let i = 0; i < states; i++) ends[i + 1]! += ends[i] as number;
    const fill = ends.slice();
    const sources = new Uint32Array(this.#count);
    for (let state = 0; state < states; state++) {
      const end = this.#starts[state + 1] as number;
      for (let i = this.#starts[state] as number; i < end; i++) {
        const to = this.#targets[i] as number;
        sources[fill[to]!++] = state;
      }
    }
    const reaches = new Uint8Array(states);
    const queue = new Uint32Array(states);
    let length = 0;
    for (const goal of goals) {
      reaches[goal] = 1;
      queue[length++] = goal;
    }
    for (let at = 0; at < length; at++) {
      const state = queue[at] as number;
      const end = ends[state + 1] as number;
      for (let i = ends[state] as number; i < end; i++) {
        const source = sources[i] as number;
        if (reaches[source] === 1) continue;
        reaches[source] = 1;
        queue[length++] = source;
      }
    }
    const first = reaches.indexOf(0);
    return first < 0 ? null : first;
  }
}

function doubled(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
}
