/** Where everything about maintenance lies that is no table's. */
function maintenanceFolder(warehouseLocation: string): string {
  return `${warehouseLocation}/_frazil/maintenance`;
}

/** Objects of records: `<folder>/2026-11-21/160703123-<process>-0001.jsonl`, so that names order them by their first record. */
export function historyFolder(warehouseLocation: string): string {
  return `${maintenanceFolder(warehouseLocation)}/history`;
}

/** What was last done to which table, of the service or of one job. */
export function stateLocation(warehouseLocation: string, by: string): string {
  return `${maintenanceFolder(warehouseLocation)}/state/${by}.json`;
}

/** The lease of the service that leads. */
export function leaseLocation(warehouseLocation: string): string {
  return `${maintenanceFolder(warehouseLocation)}/lease.json`;
}
