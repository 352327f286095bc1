import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { loopback } from '@orderly/launcher'
import { temporaryFolder } from './install-package.ts'

/** Chromium of the system: Debian and Ubuntu install it here, and so do CI images. */
const programs = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const switches = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run']
const deadlineMs = 120_000

export function findChromium(): string | undefined {
  return programs.find(existsSync)
}

export interface Page {
  readonly chromium: string
  /** Port of the page, on localhost. */
  readonly port: number
  /** Folder of the built client. */
  readonly folder: string
  /** Source of a module whose default export is the function that the page calls with the client. */
  readonly module: string
  /** Second argument of the function. */
  readonly argument: string
}

/**
 * Runs a module in a page of Chromium.
 * @returns the JSON result of its function
 * @throws Error with the message of the page, or after a time without a result
 */
export async function runInChromium(
  t: TestContext,
  { chromium, port, folder, module, argument }: Page
): Promise<unknown> {
  const result = Promise.withResolvers<unknown>()
  const send = (value: string) => `fetch('/result', { method: 'POST', body: JSON.stringify(${value}) })`
  const script = `import run from '/page.js'
import * as client from '/client/index.js'
run(client, ${JSON.stringify(argument)}).then(value => ${send('{ value }')}, error => ${send('{ error: String(error) }')})`
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const answer = (type: string, body: string) => response.writeHead(200, { 'content-type': type }).end(body)
    if (pathname === '/') return answer('text/html', `<!doctype html><script type="module">${script}</script>`)
    if (pathname === '/page.js') return answer('text/javascript', module)
    if (pathname.startsWith('/client/'))
      return answer('text/javascript', readFileSync(join(folder, pathname.slice('/client/'.length)), 'utf8'))
    if (pathname !== '/result') return response.writeHead(404).end()
    const { value, error } = (await json(request)) as { readonly value?: unknown; readonly error?: string }
    answer('text/plain', '')
    if (error === undefined) result.resolve(value)
    else result.reject(new Error(error))
  })
  await once(server.listen(port, loopback), 'listening')
  const profile = `--user-data-dir=${temporaryFolder(t)}`
  const browser = spawn(chromium, [...switches, profile, `http://localhost:${port}/`], {
    // The processes of the browser form one group, which ends with the test.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe']
  })
  let complaints = ''
  browser.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-2_000)
  })
  const fail = () => result.reject(new Error(`the page sent no result: ${complaints}`))
  const timer = setTimeout(fail, deadlineMs)
  browser.once('error', fail).once('close', fail)
  try {
    return await result.promise
  } finally {
    clearTimeout(timer)
    if (browser.pid !== undefined && browser.exitCode === null) {
      process.kill(-browser.pid, 'SIGKILL')
      await once(browser, 'close')
    }
    server.close().closeAllConnections()
  }
}
