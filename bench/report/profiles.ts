import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { PartContext } from '../part.ts'
import { type CPUProfile, flameGraph, hottest, toFrames } from './flame-graph.ts'

/** Ends the profiled processes, which write their profiles then, and draws those. @returns what to say about them in a report */
export async function profileReport(
  { results }: Pick<PartContext, 'results'>,
  name: string,
  profiled: readonly { stop(): Promise<unknown> }[]
): Promise<string> {
  const directory = join(results, 'profiles')
  await mkdir(directory, { recursive: true })
  await Promise.all(profiled.map(worker => worker.stop()))
  const sections: string[] = []
  const files = (await readdir(directory)).filter(file => file.endsWith('.cpuprofile'))
  for (const [index, file] of files.entries()) {
    const root = toFrames(JSON.parse(await readFile(join(directory, file), 'utf8')) as CPUProfile)
    const svg = `${name}-${index}.svg`
    await writeFile(join(directory, svg), flameGraph(`${name}: ${basename(file)}`, root))
    await rm(join(directory, file))
    const lines = hottest(root, 15).map(({ name, share }) => `- ${(share * 100).toFixed(1)} % \`${name}\``)
    sections.push(`Where our processor time went ([flame graph](profiles/${svg})):\n\n${lines.join('\n')}`)
  }
  return sections.join('\n\n')
}
