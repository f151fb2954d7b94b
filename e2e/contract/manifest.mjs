// Reading a manifest (as JSON) for what it asks of the vendor.

/** A path with every placeholder made equal: `/orgs/{organization}/hooks` and `/orgs/{org}/hooks` are one request. */
export function shape(path) {
  return path.replace(/\{[^}]*\}/g, '{}');
}

/** The endpoints of a credential (token, identity, probes), written as `{ path = "/..." }`. */
function endpoints(node, name, found) {
  if (Array.isArray(node)) node.forEach((item) => endpoints(item, name, found));
  else if (node && typeof node === 'object') {
    if (typeof node.path === 'string' && node.path.startsWith('/')) {
      found.push({ dataset: name, method: name === 'token' ? 'POST' : 'GET', path: node.path, query: node.query ?? {}, records: '', fields: [] });
    }
    for (const [key, value] of Object.entries(node)) endpoints(value, key, found);
  }
  return found;
}

/** The paths that a field reads, below `prefix`: its own, those of its parts, and the values plucked from its elements. */
function paths(field, prefix, renamed) {
  const own = renamed ?? field.path ?? field.name;
  const at = [prefix, own === '.' ? '' : own].filter(Boolean).join('.');
  const elements = field.type.startsWith('list') ? `${at}.*` : at;
  if (field.field?.length) {
    return [{ name: field.name, at }, ...field.field.flatMap((part) =>
      paths(part, elements, undefined).map((found) => ({ ...found, name: `${field.name}.${found.name}` })))];
  }
  const pluck = (field.transform ?? []).find((step) => step.pluck)?.pluck;
  const plain = !field.transform?.length && !field.sensitive;
  return [{ name: field.name, at: pluck ? `${elements}.${pluck}` : at, type: plain ? field.type : undefined }];
}

/**
 * Every request of a manifest: `{ dataset, method, path, query, graphql?, records, fields }`. `query` holds every
 * parameter name, paging included; `fields` is what is read of each record: `{ name, at, type?, here }`, `here` where
 * the path is written for this request alone.
 */
export function requestsOf(manifest) {
  const found = endpoints(manifest.auth ?? [], 'auth', []);
  endpoints(manifest.identity ?? {}, 'identity', found);
  for (const dataset of manifest.dataset ?? []) {
    for (const request of dataset.request ?? []) {
      const { paging = {}, set = {} } = request;
      const query = { ...request.query };
      for (const name of [paging.param, paging.size_param]) if (name) query[name] ??= null;
      const fields = (dataset.field ?? [])
        .filter((field) => !(field.name in set) && field.each === undefined)
        .flatMap((field) => paths(field, '', request.paths?.[field.name])
          .map((found) => ({ ...found, here: field.name in (request.paths ?? {}) })));
      const { method = 'GET', path, graphql, records = '' } = request;
      found.push({ dataset: dataset.name, method, path, query, graphql, records, fields });
    }
  }
  return found;
}
