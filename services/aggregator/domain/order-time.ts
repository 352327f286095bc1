/** Error for an order whose creation time cannot belong to a window. */
export class InvalidOrderTimeError extends Error {
  readonly code = 'ORDER_TIME_INVALID'
  readonly retryable = false

  constructor(createdAtMs: number) {
    super(`createdAtMs must be a time in the years 1970 to 9999 (got ${createdAtMs})`)
    this.name = 'InvalidOrderTimeError'
  }
}

const endOfYear9999Ms = 253_402_300_800_000

/** Validates the creation time of an order. @throws InvalidOrderTimeError */
export function checkOrderTime(createdAtMs: number): void {
  if (!(createdAtMs >= 0 && createdAtMs < endOfYear9999Ms)) throw new InvalidOrderTimeError(createdAtMs)
}
