/**
 * Pattern for texts in requests: no control characters, no white space at either end.
 *
 * - Lone surrogates are refused. They have no UTF-8 form, so different ids would get the same key.
 * - Zero characters are refused, because Postgres does not accept them.
 * - U+FFFD is refused. Invalid UTF-8 is decoded to it, so different Latin-1 texts would become
 *   equal.
 * - It has ranges instead of Unicode classes, because the API page compiles it without the flag `u`.
 */
export const printable = '^(?!\\s)[^\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff\\ufffd]+(?<!\\s)$'
