import { fileURLToPath } from 'node:url'
import type { Stack } from './stack.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const writes = new Set(['writev', 'writeBuffer', 'writeUtf8String', 'writeLatin1String', 'writeAsciiString'])

/**
 * Returns the owner of a stack: the package of its innermost frame; native code belongs to its
 * caller.
 */
function ownerOf({ frames }: Stack): string {
  for (const { functionName, url } of frames.toReversed()) {
    if (functionName === '(garbage collector)') return 'garbage collection'
    if (functionName === '(program)') return 'V8, libuv and the kernel, outside any function'
    if (url === '' && writes.has(functionName)) return 'writing to sockets'
    const owner = ownerOfFile(url)
    if (owner !== undefined) return owner
  }
  return 'other'
}

function ownerOfFile(url: string): string | undefined {
  if (url.startsWith('node:')) return "Node's own modules"
  const installed = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)
  if (installed !== null) return `\`${installed[1]}\``
  const path = url.startsWith('file:') ? fileURLToPath(url) : url
  if (!path.startsWith(root)) return undefined
  const [first = '', second = ''] = path.slice(root.length).split('/')
  return `\`${first === 'packages' || first === 'services' ? `${first}/${second}` : first}\``
}

export function weightsByOwner(stacks: readonly Stack[]): Map<string, number> {
  const weights = new Map<string, number>()
  for (const stack of stacks) {
    const owner = ownerOf(stack)
    weights.set(owner, (weights.get(owner) ?? 0) + stack.weight)
  }
  return weights
}
