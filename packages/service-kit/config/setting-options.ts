import type { TSchema } from 'typebox'

/**
 * Additional options of a setting, which is an environment variable. Its TypeBox schema defines the
 * accepted values (`type`, bounds, `pattern`, `enum`). Its `description` is a noun phrase that
 * completes "set it to …" in error messages ("the port to listen on").
 */
export interface SettingOptions {
  /** Value in every profile when the variable is not set. */
  readonly default?: unknown
  /**
   * Value in the `dev` profile when the variable is not set. The `prod` profile requires the
   * setting.
   */
  readonly devDefault?: unknown
  /** True if the value must never be shown, not even in an error message about it. */
  readonly secret?: boolean
  /** True if the value is the path of a file that must be readable. */
  readonly file?: boolean
  /** Settings that must also be set. */
  readonly requires?: readonly string[]
  /**
   * Checks the value against the other settings.
   * @returns an error message with the fix, or undefined
   */
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
