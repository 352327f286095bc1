/**
 * The shapes that cross this package's boundary.
 *
 * - **caller**: whoever calls the API, by name: a shop, or an operator. **key**: what it proves itself with; it may have several.
 * - **role**: a shop places orders and sees its own; an operator sees everything and places none.
 * - **quota**: how many requests a caller may make, at one instance of a service.
 */
export const roles = ['shop', 'operator'] as const
export type Role = (typeof roles)[number]

export interface Caller {
  readonly name: string
  readonly role: Role
  /** Aborted when the key of the request has stopped being valid: what it holds open must end. */
  readonly ended?: AbortSignal
}

export const callerNamePattern = '^[a-z0-9][a-z0-9._-]{0,63}$'

/** The name under which requests run that do not say whose they are, so it is nobody's. */
export const reservedName = 'anyone'
