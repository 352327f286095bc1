export const longestWaitSeconds = 30

const waitPreference = /(?:^|[,;])\s*wait\s*=\s*"?(\d+)"?\s*(?=[,;]|$)/i

/** The seconds of `Prefer: wait=…` (RFC 7240), as many as are waited at most. Undefined when it does not ask for that. */
export function waitSeconds(prefer: string | undefined): number | undefined {
  const seconds = prefer === undefined ? undefined : waitPreference.exec(prefer)?.[1]
  return seconds === undefined ? undefined : Math.min(Number(seconds), longestWaitSeconds)
}
