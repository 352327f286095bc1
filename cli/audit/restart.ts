import { restartConnector, resumeConnector } from '../../deploy/connect/connector.ts'
import { type Command, orderly } from '../command-line/command.ts'

export const restartAudit: Command = {
  name: 'audit restart',
  summary: 'let the audit continue: resumes a paused connector and restarts what failed',
  examples: ['audit restart', 'audit restart --connector audit'],
  options: {
    connector: { type: 'string', placeholder: 'NAME', description: 'the connector (default: audit)' }
  },
  async run({ options, output, connections }) {
    const connector = options.text('connector') ?? 'audit'
    const { url } = connections.connect()
    await resumeConnector(url, connector)
    await restartConnector(url, connector, { onlyFailed: true })
    output.json({ connector })
    output.line(`${connector} is restarted: ${orderly} doctor shows whether it fails again.`)
    return 0
  }
}
