import { createHash } from 'node:crypto'

/**
 * Answer of the endpoint to an attempt: a status; none, until the sender closes the connection; a
 * broken connection; or a connection that breaks after the webhook was accepted, so that the sender
 * repeats it.
 */
export type WebhookAnswer = 200 | 500 | 503 | 'none' | 'broken' | 'taken, then broken'

/** One webhook in this number is never accepted, so that its attempts are exhausted. */
const neverTaken = 300

/**
 * Returns the answer to an attempt; depends on seed, id and attempt only, not on the order of
 * attempts.
 */
export function planAnswer(seed: number, id: string, attempt: number): WebhookAnswer {
  if (drawOf(`${seed} ${id}`) < 1 / neverTaken) return 500
  const draw = drawOf(`${seed} ${id} ${attempt}`)
  if (draw < 0.04) return 500
  if (draw < 0.05) return 503
  if (draw < 0.055) return 'none'
  if (draw < 0.065) return 'broken'
  return draw < 0.075 ? 'taken, then broken' : 200
}

export const isTaken = (answer: WebhookAnswer): boolean => answer === 200 || answer === 'taken, then broken'

/** Returns a number from 0 to 1 that is derived from a hash of the text. */
function drawOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32
}
