import { FrazilError } from "../../core/errors.ts";
import type { Rejects } from "../../core/format.ts";
import type { MessageSlab } from "../../core/message-slab.ts";
import { dataError, notKept } from "./data-errors.ts";
import type { TableRows } from "./table-rows.ts";

/**
 * Hands a message that cannot be decoded to the rejects. Its rows, those since `TableRows.mark`, are taken back.
 * @param table the message's table, where it is known. @param inKey whether the message's key was being read.
 * @throws FrazilError where nothing takes rejects, or it is no fault of the data.
 */
export function handOver(
  fault: unknown,
  slab: MessageSlab,
  message: number,
  inKey: boolean,
  table: TableRows | null,
  rejects: Rejects | null,
): void {
  const slot = table?.slotInRow ?? null;
  const binding = table?.binding ?? null;
  const error = dataError(fault, { slab, message, inKey, binding, slot });
  if (!(error instanceof FrazilError) || error.kind !== "data") throw error;
  if (rejects === null) throw notKept(error);
  table?.undo();
  rejects.reject(slab, message, error, slot?.name ?? null, binding?.target ?? null);
}
