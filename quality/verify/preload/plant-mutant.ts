/**
 * Preloaded into services and readers (`node --import`) by the verifier only. Plants the requested
 * mutant, if any, by giving Node another source text than the one on disk. Reports the files into
 * which it was planted, and the patches that were executed.
 */
import { appendFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { applyPatches, type Patch } from '../mutants/mutant.ts'
import { mutants } from '../mutants/mutants.ts'
import { reportExecuted } from './executed-patches.ts'
import { environmentNames, executedFileOf, plantedFileOf } from './journal.ts'

const name = process.env[environmentNames.mutant]
const journal = process.env[environmentNames.journal]

if (name !== undefined) {
  const mutant = mutants.find(mutant => mutant.name === name)
  if (mutant === undefined) throw new Error(`unknown mutant "${name}"`)
  const project = join(import.meta.dirname, '..', '..', '..')
  const urlOf = ({ file }: Patch) => pathToFileURL(join(project, file)).href
  const patches = Map.groupBy(mutant.patches, urlOf)
  const watch = reportExecuted(({ index }) => {
    if (journal !== undefined) appendFileSync(executedFileOf(journal), `${index}\n`)
  })
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      const own = patches.get(url)
      if (own === undefined || loaded.source === undefined || loaded.source === null) return loaded
      const text = typeof loaded.source === 'string' ? loaded.source : Buffer.from(loaded.source as never).toString()
      const { source, offsets } = applyPatches(text, own)
      for (const [number, offset] of offsets.entries()) {
        watch({ url, offset, index: mutant.patches.indexOf(own[number] as Patch) })
      }
      if (journal !== undefined) appendFileSync(plantedFileOf(journal), `${own[0]?.file}\n`)
      return { ...loaded, source }
    }
  })
}
