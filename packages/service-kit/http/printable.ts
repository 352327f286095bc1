/**
 * Pattern for texts in requests: no control characters, no white space at either end.
 *
 * - Lone surrogates are refused. They have no UTF-8 form, so different ids would get the same key.
 * - Zero characters are refused, because Postgres does not accept them.
 * - U+FFFD is refused. Invalid UTF-8 is decoded to it, so different Latin-1 texts would become
 *   equal.
 */
export const printable = '^(?!\\s)[^\\p{Cc}\\p{Cs}\\ufffd]+(?<!\\s)$'
