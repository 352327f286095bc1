/** Returns text as one word for a shell, to be pasted into it. */
export function shellWord(text: string): string {
  return /^[\w.@:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
