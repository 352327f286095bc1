/**
 * Types that other packages use.
 *
 * - **caller**: the authenticated program or person that calls the API, identified by name.
 * - **API key**: the secret that authenticates a caller, which may have several.
 * - **role**: a shop places orders and sees its own. The others place none and see those of all
 *   shops: a viewer changes nothing, support also changes orders, an operator also changes stock.
 * - **quota**: the number of requests that a caller may send to one instance of a service.
 */
export const roles = ['shop', 'viewer', 'support', 'operator'] as const
export type Role = (typeof roles)[number]

/** Roles of people: they see the orders and the stock of all shops. */
export const staffRoles = ['viewer', 'support', 'operator'] as const satisfies readonly Role[]

export interface Caller {
  readonly name: string
  readonly role: Role
  /** Aborted when the key of the request becomes invalid; streams opened with it must then end. */
  readonly ended?: AbortSignal
  /** The only order that the request may read, if it has an order token instead of a key. */
  readonly tokenOf?: string
  /** Time at which the order token expires; streams opened with it must then end. */
  readonly expiresAtMs?: number
}

export const callerNamePattern = '^[a-z0-9][a-z0-9._-]{0,63}$'

/** Name used for requests while API keys are off. No caller may have it. */
export const reservedName = 'anyone'
