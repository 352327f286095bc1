import { createHash } from 'node:crypto'

/**
 * How an endpoint answers an attempt: with a status; not at all, until the sender hangs up; by hanging up; or by taking the webhook and
 * hanging up before it says so, after which it comes again.
 */
export type WebhookAnswer = 200 | 500 | 503 | 'none' | 'broken' | 'taken, then broken'

/** Of so many webhooks one is never taken, so that it has to be given up. */
const neverTaken = 300

/** Decided by the seed for each attempt, however attempts of different webhooks follow each other. */
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

/** From 0 to 1, as even as the hash is. */
function drawOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32
}
