/**
 * What a text in a request may be. A lone surrogate has no UTF-8 form, so two different ids would become the same key; and Postgres
 * takes no zero characters.
 */
export const printable = '^(?!\\s)[^\\p{Cc}\\p{Cs}]+(?<!\\s)$'
