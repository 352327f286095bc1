import { hostname, userInfo } from 'node:os'

/**
 * Returns the operator's name for the audit: the value of `--by`, or the account and the machine.
 */
export function operatorName(by: string | undefined): string {
  if (by !== undefined && by.trim() !== '') return by.trim()
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    return `somebody@${hostname()}`
  }
}

export const byOption = {
  type: 'string',
  placeholder: 'NAME',
  description: 'operator name for the audit (default: your account and machine)'
} as const
export const reasonOption = { type: 'string', placeholder: 'TEXT', description: 'reason, for the audit' } as const
