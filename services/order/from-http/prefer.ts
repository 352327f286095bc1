export const longestWaitSeconds = 30

const waitPreference = /(?:^|[,;])\s*wait\s*=\s*"?(\d+)"?\s*(?=[,;]|$)/i

/** Returns the seconds of `Prefer: wait=…` (RFC 7240), up to the maximum. Undefined without it. */
export function waitSeconds(prefer: string | undefined): number | undefined {
  const seconds = prefer === undefined ? undefined : waitPreference.exec(prefer)?.[1]
  return seconds === undefined ? undefined : Math.min(Number(seconds), longestWaitSeconds)
}
