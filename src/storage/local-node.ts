/** The path of the program that runs this one, for what takes a second process on the same machine. */
export const localNode: string = process.execPath;
