import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import ts from 'typescript'

const packages = dirname(import.meta.dirname)

interface Manifest {
  readonly exports?: Readonly<Record<string, string>>
  readonly publishConfig?: object
}

/** Returns the entry files of each package that is published. */
function publishedEntries(): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const folder of readdirSync(packages)) {
    const file = join(packages, folder, 'package.json')
    if (!existsSync(file)) continue
    const { exports = {}, publishConfig }: Manifest = JSON.parse(readFileSync(file, 'utf8'))
    if (publishConfig === undefined) continue
    found.set(
      folder,
      Object.values(exports).map(entry => join(packages, folder, entry))
    )
  }
  return found
}

/**
 * Returns the public declarations without a documentation comment: exported types, functions,
 * classes and constants, their methods, and the properties of options.
 */
function undocumented(entries: readonly string[]): string[] {
  const program = ts.createProgram(entries, {
    ...{ allowImportingTsExtensions: true, noEmit: true, noLib: true, types: [] },
    ...{ module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext }
  })
  const checker = program.getTypeChecker()
  const found = new Set<string>()
  const check = (name: string, symbol: ts.Symbol) => {
    const file = symbol.declarations?.[0]?.getSourceFile().fileName ?? ''
    if (symbol.getDocumentationComment(checker).length === 0) found.add(`${relative(packages, file)}: ${name}`)
  }
  for (const entry of entries) {
    const source = program.getSourceFile(entry)
    const module = source && checker.getSymbolAtLocation(source)
    assert.ok(module, `${entry} exports nothing`)
    for (const exported of checker.getExportsOfModule(module)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
      check(symbol.name, symbol)
      for (const member of symbol.members?.values() ?? [])
        if (isChecked(symbol, member)) check(`${symbol.name}.${member.name}`, member)
    }
  }
  return [...found]
}

function isChecked(owner: ts.Symbol, member: ts.Symbol): boolean {
  const [declaration] = member.declarations ?? []
  const name = declaration && ts.getNameOfDeclaration(declaration)
  if (declaration === undefined || name === undefined || ts.isPrivateIdentifier(name)) return false
  if (ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Private) return false
  const isProperty = (member.flags & ts.SymbolFlags.Property) !== 0
  return (member.flags & ts.SymbolFlags.Method) !== 0 || (isProperty && /(Options|Connection)$/.test(owner.name))
}

for (const [folder, entries] of publishedEntries()) {
  test(`every public declaration of packages/${folder} has a documentation comment`, () => {
    assert.deepEqual(undocumented(entries), [])
  })
}
