/** Whose idempotency keys these are: everybody's, as long as callers do not say who they are. */
export const onlyCaller = 'anyone'
