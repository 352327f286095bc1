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
    if (process.env.CI) throw error
    test.skip((error as Error).message)
    return undefined
  }
}
