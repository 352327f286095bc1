/** An Avro schema, parsed from JSON. */
export type AvroNode = string | readonly AvroNode[] | { readonly type: AvroNode; readonly [attribute: string]: unknown }

interface AvroField {
  readonly name: string
  readonly type: AvroNode
  readonly doc?: string
}

const primitives: Readonly<Record<string, string>> = {
  null: 'null',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  float: 'number',
  double: 'number',
  bytes: 'Buffer',
  string: 'string'
}

interface Declarations {
  /** Text of each interface by the name of its record. */
  readonly texts: Map<string, string>
  /** Suffix of interface names, so that several versions can be in one file. */
  readonly suffix: string
}

/** Generates one interface per record in the schema, the outermost first. */
export function typescriptTypes(schema: AvroNode, suffix = ''): string {
  const declarations = { texts: new Map<string, string>(), suffix }
  typeOf(schema, declarations)
  return [...declarations.texts.values()].join('\n')
}

function typeOf(node: AvroNode, declarations: Declarations): string {
  if (typeof node === 'string') return primitives[node] ?? namedType(node, declarations)
  if (isUnion(node)) return node.map(branch => typeOf(branch, declarations)).join(' | ')
  switch (node.type) {
    case 'record':
      return declareRecord(node, declarations)
    case 'array':
      return `readonly ${parenthesised(typeOf(node.items as AvroNode, declarations))}[]`
    case 'map':
      return `Readonly<Record<string, ${typeOf(node.values as AvroNode, declarations)}>>`
    case 'enum':
      return (node.symbols as string[]).map(symbol => `'${symbol}'`).join(' | ')
    default:
      if (typeof node.type === 'string' && !(node.type in primitives)) {
        throw new Error(`the Avro type "${node.type}" is not supported: add it in contracts/generator/`)
      }
      return typeOf(node.type, declarations)
  }
}

function isUnion(node: AvroNode): node is readonly AvroNode[] {
  return Array.isArray(node)
}

function namedType(name: string, declarations: Declarations): string {
  const shortName = name.slice(name.lastIndexOf('.') + 1)
  if (!declarations.texts.has(shortName)) throw new Error(`the type "${name}" is used before it is declared`)
  return `${shortName}${declarations.suffix}`
}

function parenthesised(type: string): string {
  return type.includes(' ') ? `(${type})` : type
}

function declareRecord(node: { readonly [attribute: string]: unknown }, declarations: Declarations): string {
  const name = node.name as string
  const { texts, suffix } = declarations
  if (texts.has(name)) throw new Error(`the record "${name}" is declared twice`)
  texts.set(name, '')
  const fields = (node.fields as readonly AvroField[]).map(
    field => `${comment(field.doc, '  ')}  readonly ${field.name}: ${typeOf(field.type, declarations)}\n`
  )
  texts.set(name, `${comment(node.doc)}export interface ${name}${suffix} {\n${fields.join('')}}\n`)
  return `${name}${suffix}`
}

function comment(doc: unknown, indent = ''): string {
  return typeof doc === 'string' ? `${indent}/** ${doc.replaceAll('*/', '* /')} */\n` : ''
}
