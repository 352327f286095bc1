/**
 * What a text in a request may be. A lone surrogate has no UTF-8 form, so two different ids would become the same key; and Postgres
 * takes no zero characters. U+FFFD is what bytes become that are no UTF-8, whichever they were: two texts in Latin-1 would become the same.
 */
export const printable = '^(?!\\s)[^\\p{Cc}\\p{Cs}\\ufffd]+(?<!\\s)$'
