import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectDirectory } from '@orderly/launcher'

export interface Instruction {
  readonly name: string
  readonly text: string
}

export interface BuildStage {
  readonly name: string
  readonly base: string
  readonly instructions: readonly Instruction[]
}

export const dockerfile = readFileSync(join(projectDirectory, 'deploy', 'Dockerfile'), 'utf8')

/** Returns the stages of the Dockerfile in order. */
export function buildStages(): BuildStage[] {
  const lines = dockerfile
    .replace(/^#.*\n/gm, '')
    .replaceAll('\\\n', ' ')
    .split('\n')
  const instructions = lines.flatMap(line => {
    const [, name, text] = /^([A-Z]+) +(.*)$/.exec(line) ?? []
    return name === undefined || text === undefined ? [] : [{ name, text: text.trim() }]
  })
  const stages: { name: string; base: string; instructions: Instruction[] }[] = []
  for (const instruction of instructions) {
    const [, base, name] = instruction.name === 'FROM' ? (/^(\S+) AS (\S+)$/.exec(instruction.text) ?? []) : []
    if (base !== undefined && name !== undefined) stages.push({ base, name, instructions: [] })
    else stages.at(-1)?.instructions.push(instruction)
  }
  return stages
}

/** Returns a stage with the instructions of the stages that it is based on. */
export function buildStage(stageName: string): BuildStage {
  const stage = buildStages().find(({ name }) => name === stageName)
  if (stage === undefined) throw new Error(`the Dockerfile has no stage ${stageName}`)
  if (stage.base.includes(':')) return stage
  const base = buildStage(stage.base)
  return { ...stage, base: base.base, instructions: [...base.instructions, ...stage.instructions] }
}

/** Returns the entrypoint of a stage. */
export function entrypointOf(stageName: string): string[] {
  const entrypoint = buildStage(stageName).instructions.findLast(({ name }) => name === 'ENTRYPOINT')
  return JSON.parse(entrypoint?.text ?? '[]')
}

/**
 * Returns a predicate for the paths that a build ignores, with Docker's rule: the last matching
 * line decides.
 */
export function buildIgnores(): (path: string) => boolean {
  const text = readFileSync(join(projectDirectory, 'deploy', 'Dockerfile.dockerignore'), 'utf8')
  const rules = text
    .split('\n')
    .filter(line => line !== '')
    .map(line => ({ isKept: line.startsWith('!'), pattern: patternOf(line.replace(/^!/, '')) }))
  return path => rules.findLast(({ pattern }) => pattern.test(path))?.isKept === false
}

/** Returns the pattern of a line. It matches a file, and everything in a folder that it matches. */
function patternOf(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/|\*/g, star => (star === '*' ? '[^/]*' : '(.*/)?'))
  return new RegExp(`^${source}(/.*)?$`)
}
