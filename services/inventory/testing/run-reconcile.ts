import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { projectDirectory } from '@orderly/launcher'
import type { Pipeline } from './pipeline.ts'

interface Listed {
  readonly count: number
  readonly first: readonly unknown[]
}

/** The fields of the `orderly reconcile --json` report that tests use. */
interface Report {
  readonly added: Readonly<Record<string, number>>
  readonly stock: Listed
  readonly lost: Readonly<Record<string, Listed>>
  readonly contradictions: Readonly<Record<string, Listed>>
  readonly keys: {
    readonly changed: readonly { readonly name: string; readonly what: string }[]
    readonly callersWithoutKey: readonly string[]
    readonly valid: readonly { readonly name: string }[]
  }
}

const tool = join(projectDirectory, 'cli/main.ts')

interface Run {
  readonly code: number
  readonly stderr: string
  readonly report: Report
}

/**
 * Runs `orderly reconcile`, and repeats it while a killed instance is still a member of its group.
 */
export async function reconcile(pipeline: Pipeline, ...args: readonly string[]): Promise<Run> {
  for (;;) {
    const run = await tryToReconcile(pipeline, ...args)
    if (!run.stderr.includes('The inventory is running')) {
      assert.ok(run.report.added, run.stderr)
      return run
    }
    await delay(500)
  }
}

export async function tryToReconcile({ environment }: Pipeline, ...args: readonly string[]): Promise<Run> {
  const options = { env: { ...process.env, ...environment }, maxBuffer: 64 * 1024 * 1024 }
  return new Promise(resolve => {
    execFile(process.execPath, [tool, 'reconcile', '--json', ...args], options, (error, stdout, stderr) => {
      const report = stdout === '' ? ({} as Report) : JSON.parse(stdout)
      resolve({ code: error === null ? 0 : Number(error.code), stderr, report })
    })
  })
}

/** Runs `orderly reconcile --apply` and kills it after it has read the first topic. */
export async function interruptedReconcile({ environment }: Pipeline): Promise<void> {
  const child = spawn(process.execPath, [tool, 'reconcile', '--apply'], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'pipe']
  })
  let seen = ''
  for await (const part of child.stderr) {
    seen += part
    if (seen.includes('inventory.reserved: ')) break
  }
  child.kill('SIGKILL')
  await once(child, 'exit')
}
