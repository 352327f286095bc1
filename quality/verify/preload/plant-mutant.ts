/**
 * Preloaded into services (`node --import`) by the verifier only. Plants the requested mutant, if
 * any, by giving Node another source text than the one on disk.
 */
import { appendFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { applyPatch, type Patch } from '../mutants/mutant.ts'
import { mutants } from '../mutants/mutants.ts'
import { environmentNames, plantedFileOf } from './journal.ts'

const name = process.env[environmentNames.mutant]
const journal = process.env[environmentNames.journal]

if (name !== undefined) {
  const mutant = mutants.find(mutant => mutant.name === name)
  if (mutant === undefined) throw new Error(`unknown mutant "${name}"`)
  const project = join(import.meta.dirname, '..', '..', '..')
  const urlOf = ({ file }: Patch) => pathToFileURL(join(project, file)).href
  const patches = Map.groupBy(mutant.patches, urlOf)
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      const own = patches.get(url)
      if (own === undefined || loaded.source === undefined || loaded.source === null) return loaded
      const text = typeof loaded.source === 'string' ? loaded.source : Buffer.from(loaded.source as never).toString()
      const source = own.reduce(applyPatch, text)
      if (journal !== undefined) appendFileSync(plantedFileOf(journal), `${own[0]?.file}\n`)
      return { ...loaded, source }
    }
  })
}
