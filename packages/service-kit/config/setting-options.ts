import type { TSchema } from 'typebox'

/**
 * A setting is an environment variable. Its TypeBox schema says what it may be (`type`, bounds, `pattern`, `enum`),
 * `description` says what it is as a noun phrase ("the port to listen on"), and these say the rest.
 */
export interface SettingOptions {
  /** Taken when the variable is not set, in every profile. */
  readonly default?: unknown
  /** Taken when the variable is not set, in the `dev` profile only; `prod` demands the setting. */
  readonly devDefault?: unknown
  /** Never shown, not even in the message that it is wrong. */
  readonly secret?: boolean
  /** The value is the path of a file that must be readable. */
  readonly file?: boolean
  /** Settings without which this one makes no sense. */
  readonly requires?: readonly string[]
  /** Checks the value against the other settings. @returns what is wrong and how to put it right, if anything is */
  readonly check?: (value: never, others: Readonly<Record<string, unknown>>) => string | undefined
}

export type SettingSchema = TSchema &
  SettingOptions & {
    readonly type?: string
    readonly description?: string
    readonly enum?: readonly unknown[]
    readonly minimum?: number
    readonly maximum?: number
  }
