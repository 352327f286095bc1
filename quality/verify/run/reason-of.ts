/** Returns the reason why a request has no answer. */
export function reasonOf(error: unknown): string {
  const { name, message, cause } = error as Error
  if (name === 'TimeoutError') return 'no answer in time'
  return cause instanceof Error ? `${message}: ${(cause as NodeJS.ErrnoException).code ?? cause.message}` : message
}

/** Returns the reason why an answer leaves the result unknown. */
export function reasonOfStatus(status: number, headers: Headers): string {
  return `status ${status}${headers.has('retry-after') ? ' with Retry-After' : ''}`
}
