import type { Command } from '../command-line/command.ts'
import { parseNumber } from '../command-line/numbers.ts'
import { diagnose } from './findings.ts'
import { observe } from './observe.ts'

export const runDoctor: Command = {
  name: 'doctor',
  summary: 'why the pipeline does not move: one finding a line, each with what to do; exits 1 when there is a problem',
  options: {
    waiting: { type: 'string', placeholder: 'SECONDS', description: 'how long a record may wait (30)' },
    transaction: { type: 'string', placeholder: 'SECONDS', description: 'how long a transaction may be open (15)' }
  },
  async run({ options, output, connections, signal }) {
    const seconds = (name: string, otherwise: number) =>
      parseNumber(options.text(name), name, { minimum: 0, maximum: 86_400, otherwise }) * 1_000
    const facts = await observe(connections, signal, seconds('transaction', 15))
    const findings = diagnose(facts, { waitingMs: seconds('waiting', 30) })
    const problems = findings.filter(({ severity }) => severity === 'problem').length
    output.json({ isHealthy: problems === 0, findings })
    for (const { severity, about, what, todo } of findings) {
      output.line(`${severity === 'problem' ? 'PROBLEM' : 'hint   '}  ${about}: ${what}. To do: ${todo}.`)
    }
    if (findings.length === 0)
      output.line('All is well: servers answer, groups have members and no lag, nothing is parked.')
    return problems === 0 ? 0 : 1
  }
}
