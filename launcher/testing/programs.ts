import type { TestContext } from 'node:test'
import { type ProgramName, requireProgram } from '../preflight/programs.ts'

/**
 * Returns the paths of programs that a test needs. If one is missing, the test is skipped with
 * advice on what to install. In CI (`CI` is set) it fails instead.
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

/** Skips a test. @throws the given error in CI */
export function skip(test: TestContext, missing: Error): undefined {
  if (process.env.CI) throw missing
  test.skip(missing.message)
  return undefined
}
