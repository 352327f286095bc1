/** The order was created at no time that a window could have. */
export class InvalidOrderTimeError extends Error {
  readonly code = 'ORDER_TIME_INVALID'
  readonly retryable = false

  constructor(createdAtMs: number) {
    super(`createdAtMs is ${createdAtMs}: not a time between the years 1970 and 9999`)
    this.name = 'InvalidOrderTimeError'
  }
}

const endOfYear9999Ms = 253_402_300_800_000

/** @throws InvalidOrderTimeError */
export function checkOrderTime(createdAtMs: number): void {
  if (!(createdAtMs >= 0 && createdAtMs < endOfYear9999Ms)) throw new InvalidOrderTimeError(createdAtMs)
}
