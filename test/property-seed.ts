import fc from "fast-check";

// Properties draw the same values each time, so that a run that passes here passes elsewhere, and a change that fails is the change's.
// What other values find is looked for on purpose: `FRAZIL_PROPERTY_SEED=random`, or a number to see a run again.
const wanted = process.env["FRAZIL_PROPERTY_SEED"] ?? "20261122";
if (wanted !== "random") fc.configureGlobal({ seed: Number(wanted) });
