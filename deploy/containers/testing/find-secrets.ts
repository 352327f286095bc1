import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { docker, type Engine } from './docker.ts'
import { builtImages, inspectImage } from './images.ts'

const run = promisify(execFile)
/** Names of files that hold secrets. Packages and jars may contain such files of their tests. */
const secretFile = /(^|\/)(\.env[^/]*|\.netrc|\.pgpass|id_[a-z0-9]+|[^/]+\.(pem|key|p12|jks))$/
const secretText =
  '^-----BEGIN [A-Z ]*PRIVATE KEY-----$|_authToken ?=|(password|secret|token)"?[:=] ?("[A-Za-z0-9_-]{24,}"|[A-Za-z0-9_-]{24,}$)'
/** The path of a folder is not a secret. */
const secretVariable = /(PASSWORD|SECRET|TOKEN|CREDENTIAL)[^=]*=[^/]/i

/**
 * Returns what looks like a secret in the layers, variables and history that the Dockerfile adds to a
 * base.
 * @param layers archives of its layers
 */
export async function findSecrets(engine: Engine, target: string, layers: readonly string[]): Promise<string[]> {
  const image = builtImages[target] as string
  const { Config } = await inspectImage(engine, image)
  const history = await docker(engine, ['history', '--no-trunc', '--format', '{{.CreatedBy}}', image])
  const variables = [...Config.Env, ...history.split('\n')].filter(text => secretVariable.test(text))
  const inLayers = await Promise.all(layers.map(secretsIn))
  return [...variables, ...inLayers.flat()]
}

/** Returns the files and lines of a layer that look like secrets, except those of packages. */
export async function secretsIn(layer: string): Promise<string[]> {
  const { stdout } = await run('tar', ['--list', '--file', layer], { maxBuffer: 100_000_000 })
  const names = stdout.split('\n').filter(name => !name.includes('node_modules/'))
  return [...names.filter(name => secretFile.test(name)), ...(await textsIn(layer))]
}

/** Returns the lines with secrets in a layer. Packages are left out: the lock file has their checksums. */
async function textsIn(layer: string): Promise<string[]> {
  const command = `tar --extract --to-stdout --exclude='*/node_modules/*' --file "$0" | grep --text --extended-regexp --only-matching --regexp="$1"`
  const { stdout } = await run('sh', ['-c', command, layer, secretText], { maxBuffer: 100_000_000 }).catch(error => {
    // 1: nothing was found.
    if (error.code === 1) return { stdout: '' }
    throw error
  })
  return stdout.split('\n').filter(Boolean)
}
