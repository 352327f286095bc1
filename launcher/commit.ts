import { spawnSync } from 'node:child_process'
import { projectDirectory } from './directories.ts'

/**
 * Returns the commit of this checkout as `git describe` names it, and whether files have changed
 * since; undefined without Git or a repository.
 */
export function describeCommit(): string | undefined {
  const { status, stdout } = spawnSync('git', ['describe', '--always', '--dirty=, changed since'], {
    cwd: projectDirectory,
    encoding: 'utf8'
  })
  return status === 0 ? stdout.trim() : undefined
}
