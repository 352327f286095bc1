import { hostname, userInfo } from 'node:os'

/** Who is at the keyboard, for the audit: what `--by` says, or the account and the machine. */
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
  description: 'who does this, for the audit (your account and machine)'
} as const
export const reasonOption = { type: 'string', placeholder: 'TEXT', description: 'why, for the audit' } as const
