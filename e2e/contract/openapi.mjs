// The facts of an application (catalog/apps/<app>/contract/facts.json) as an OpenAPI description of its requests, which Prism
// reads: methods, paths and query parameters. Of answers it says nothing.

/** What a parameter accepts, as the facts write it: `integer`, `integer<=100`, `string!` (required), `=a|b` (one of these). */
function parameter(name, text) {
  const required = text.endsWith('!');
  const accepts = required ? text.slice(0, -1) : text;
  const schema = accepts.startsWith('=') ? { type: 'string', enum: accepts.slice(1).split('|') }
    : accepts === 'array' ? { type: 'array', items: {} }
      : accepts.startsWith('integer<=') ? { type: 'integer', maximum: Number(accepts.slice('integer<='.length)) }
        : { type: ['integer', 'number', 'boolean'].includes(accepts) ? accepts : 'string' };
  return { in: 'query', name, required, schema };
}

export function openapiOf(facts) {
  const paths = {};
  for (const [key, { parameters }] of Object.entries(facts.requests)) {
    const [method, address] = key.split(' ');
    const path = address.replace(/^https:\/\/[^/]+/, '');
    (paths[path] ??= {})[method.toLowerCase()] = {
      parameters: [
        ...[...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => ({ in: 'path', name, required: true, schema: { type: 'string' } })),
        // `{name}` says which words a placeholder takes; for Prism any will do.
        ...Object.entries(parameters).filter(([name]) => !name.startsWith('{')).map(([name, text]) => parameter(name, text)),
      ],
      responses: { default: { description: '' } },
    };
  }
  return { openapi: '3.0.3', info: { title: 'Requests', version: '1' }, paths };
}
