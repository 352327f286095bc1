import type { TestContext } from 'node:test'
import { type ProgramName, requireProgram } from '../preflight/programs.ts'

/**
 * Paths of programs that a test needs. Where one is missing the test is skipped and says what to install; but not where it is
 * the gate (`CI` is set): there it fails.
 */
export function programsOrSkip<Name extends ProgramName>(
  test: TestContext,
  ...names: readonly Name[]
): Record<Name, string> | undefined {
  try {
    return Object.fromEntries(names.map(name => [name, requireProgram(name)])) as Record<Name, string>
  } catch (error) {
    return skip(test, error as Error)
  }
}

/** @throws what is missing, where it is the gate */
export function skip(test: TestContext, missing: Error): undefined {
  if (process.env.CI) throw missing
  test.skip(missing.message)
  return undefined
}
