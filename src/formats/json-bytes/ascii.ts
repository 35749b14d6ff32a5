/** Bytes that JSON is made of, by name. */
export const TAB = 0x09;
export const LINE_FEED = 0x0a;
export const CARRIAGE_RETURN = 0x0d;
export const SPACE = 0x20;
export const QUOTE = 0x22;
export const PLUS = 0x2b;
export const COMMA = 0x2c;
export const MINUS = 0x2d;
export const DOT = 0x2e;
export const ZERO = 0x30;
export const NINE = 0x39;
export const COLON = 0x3a;
export const OPEN_BRACKET = 0x5b;
export const BACKSLASH = 0x5c;
export const CLOSE_BRACKET = 0x5d;
export const LETTER_E = 0x45;
export const LETTER_T = 0x54;
export const LETTER_Z = 0x5a;

export const LETTER_e = 0x65;
export const LETTER_f = 0x66;
export const LETTER_n = 0x6e;
export const LETTER_t = 0x74;
export const LETTER_u = 0x75;
export const LETTER_z = 0x7a;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;

/** Kinds of bytes inside a string: a quote, backslash or control character; other ASCII; a byte of a multi-byte character. */
export const ENDS_RUN = 0;
export const PLAIN_ASCII = 1;
const MULTI_BYTE = 2;

/** Kind of each byte inside a string. One look-up is quicker than the comparisons it stands for. */
export const STRING_BYTE = new Uint8Array(256).fill(MULTI_BYTE).fill(PLAIN_ASCII, 0, 0x80).fill(ENDS_RUN, 0, SPACE);
STRING_BYTE[QUOTE] = ENDS_RUN;
STRING_BYTE[BACKSLASH] = ENDS_RUN;

/** Whether a byte is a digit. */
export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}
