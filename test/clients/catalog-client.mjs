// Drives the published catalog client over every method that it has and prints
// one line of JSON for each step: {"step", "value"} or {"step", "error"}.
//
//   node catalog-client.mjs FOLDER-WITH-NODE_MODULES '{"url", "github", "token", "fetch"}'
//
// What the values should be is known to javascript_test.go.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const [folder, settings] = process.argv.slice(2);
const { url, github, token, fetch: which } = JSON.parse(settings);
const require = createRequire(join(folder, 'package.json'));
const { CatalogClient, CATALOG_FILTER_EXISTS } = require('@backstage/catalog-client');
const { stringifyEntityRef } = require('@backstage/catalog-model');

const client = new CatalogClient({
  discoveryApi: { getBaseUrl: async plugin => `${url}/api/${plugin}` },
  // Without a fetchApi the client brings a fetch of its own; pages bring the platform's.
  ...(which === 'platform' && { fetchApi: { fetch } }),
});
const as = { token };

const step = async (name, act) => {
  try {
    const value = await act();
    console.log(JSON.stringify({ step: name, value: value === undefined ? 'undefined' : value }));
  } catch (e) {
    const { name: kind, message, statusCode, cause } = e;
    console.log(JSON.stringify({ step: name, error: { kind, message, statusCode, cause: cause && `${cause.name}: ${cause.message}` } }));
  }
};
const ref = e => e && stringifyEntityRef(e);
const refs = list => list.map(ref);
const names = list => list.map(e => e.metadata.name);
// Locations that nobody wrote are named by a hash of their target.
const plain = r => r.replace(/generated-[0-9a-f]{40}/, 'generated');
// What is asked for becomes true later: GitHub is read in the background.
const eventually = async check => {
  for (const end = Date.now() + 20_000; ; await sleep(25)) {
    const value = await check();
    if (value || Date.now() > end) return value;
  }
};

const components = { kind: 'component' };
const byName = { field: 'metadata.name', order: 'asc' };

// Entities

await step('getEntities', async () => refs((await client.getEntities({ filter: components, order: byName }, as)).items));
await step('getEntities without a request', async () => (await client.getEntities(undefined, as)).items.some(e => ref(e) === 'user:default/ann'));
await step('getEntities with lists of values', async () =>
  refs((await client.getEntities({ filter: { kind: ['component', 'api'], 'spec.owner': 'team-a' }, order: byName }, as)).items));
await step('getEntities with lists of filters', async () =>
  refs((await client.getEntities({ filter: [{ kind: 'api' }, { kind: 'component', 'metadata.tags': 'java' }], order: byName }, as)).items));
await step('getEntities with CATALOG_FILTER_EXISTS', async () =>
  names((await client.getEntities({ filter: { kind: 'component', 'metadata.title': CATALOG_FILTER_EXISTS }, order: byName }, as)).items));
await step('getEntities with relations', async () =>
  names((await client.getEntities({ filter: { 'relations.ownedBy': 'group:default/team-a', kind: 'component' }, order: byName }, as)).items));
await step('getEntities with fields', async () =>
  (await client.getEntities({ filter: { 'metadata.name': 'cart' }, fields: ['kind', 'metadata.annotations.acme.com/tier', 'spec.type'] }, as)).items);
await step('getEntities with orders', async () =>
  names((await client.getEntities({ filter: components, order: [{ field: 'spec.type', order: 'desc' }, byName] }, as)).items));
await step('getEntities with offset and limit', async () =>
  names((await client.getEntities({ filter: components, order: byName, offset: 2, limit: 3 }, as)).items));
await step('getEntities after', async () => {
  const after = Buffer.from(JSON.stringify({ limit: 3, offset: 3 })).toString('base64');
  return names((await client.getEntities({ filter: components, order: byName, after }, as)).items);
});
await step('getEntities with a bad limit', () => client.getEntities({ limit: 0 }, as));

// Pages

const walk = async first => {
  const pages = [], totals = [];
  let page = await client.queryEntities(first, as);
  const start = names(page.items);
  for (;;) {
    pages.push(names(page.items));
    totals.push(page.totalItems);
    if (!page.pageInfo.nextCursor) break;
    page = await client.queryEntities({ cursor: page.pageInfo.nextCursor, limit: first.limit, fields: first.fields }, as);
  }
  const back = [];
  while (page.pageInfo.prevCursor) {
    page = await client.queryEntities({ cursor: page.pageInfo.prevCursor, limit: first.limit, fields: first.fields }, as);
    back.push(names(page.items));
  }
  return { pages, back, totals: [...new Set(totals)], returned: JSON.stringify(start) === JSON.stringify(names(page.items)) };
};
await step('queryEntities with a filter, there and back', () => walk({ filter: components, orderFields: byName, limit: 2, fields: ['metadata.name'] }));
await step('queryEntities with a predicate, there and back', () =>
  walk({ query: { $all: [{ kind: 'component' }, { $not: { 'spec.type': 'website' } }] }, orderFields: [{ field: 'metadata.name', order: 'desc' }], limit: 4, fields: ['metadata.name'] }));
await step('queryEntities with predicate and filter', async () =>
  names((await client.queryEntities({ query: { 'spec.owner': { $in: ['team-a', 'nobody'] } }, filter: [{ kind: 'component', 'metadata.title': CATALOG_FILTER_EXISTS }, { kind: ['api', 'system'] }], orderFields: byName }, as)).items));
await step('queryEntities without an order, there and back', async () => {
  const { pages, returned, totals } = await walk({ filter: components, limit: 3 });
  return { sizes: pages.map(p => p.length), all: pages.flat().sort(), returned, totals };
});
await step('queryEntities without filter', async () => {
  const { pages, returned } = await walk({ limit: 5 });
  const all = pages.flat();
  return { returned, repeated: all.length - new Set(all).size };
});
await step('queryEntities by text', async () =>
  names((await client.queryEntities({ filter: components, fullTextFilter: { term: ' SHOP', fields: ['metadata.title', 'metadata.name'] }, orderFields: byName }, as)).items));
await step('queryEntities by text, percent is a letter', async () =>
  names((await client.queryEntities({ query: { kind: 'component' }, fullTextFilter: { term: '100%', fields: ['metadata.description'] } }, as)).items));
await step('queryEntities by text over the order field', async () =>
  names((await client.queryEntities({ filter: components, fullTextFilter: { term: 'ca' }, orderFields: byName }, as)).items));
await step('queryEntities offset, no items, no total', async () => {
  const late = await client.queryEntities({ filter: components, orderFields: byName, offset: 5, limit: 20 }, as);
  const count = await client.queryEntities({ filter: components, limit: 0 }, as);
  const blind = await client.queryEntities({ filter: components, limit: 1, totalItems: 'exclude' }, as);
  return { late: names(late.items), count: [count.items.length, count.totalItems], blind: [blind.items.length, blind.totalItems] };
});
await step('queryEntities with a broken cursor', () => client.queryEntities({ cursor: 'bm9uc2Vuc2U=' }, as));
await step('queryEntities with a bad predicate', () => client.queryEntities({ query: { kind: { $like: 'c%' } } }, as));
await step('streamEntities', async () => {
  const pages = [];
  for await (const page of client.streamEntities({ filter: components, orderFields: byName, pageSize: 3 }, as)) pages.push(names(page));
  return pages;
});
await step('streamEntities with a predicate', async () => {
  const pages = [];
  for await (const page of client.streamEntities({ query: { kind: 'component' }, orderFields: byName, pageSize: 4 }, as)) pages.push(names(page));
  return pages;
});

// Single entities and batches

await step('getEntitiesByRefs', async () => {
  const wanted = ['component:default/cart', 'component:default/unknown', 'api:default/cart-api', 'component:default/cart'];
  return refs((await client.getEntitiesByRefs({ entityRefs: wanted, fields: ['kind', 'metadata'] }, as)).items);
});
await step('getEntitiesByRefs in chunks', async () => {
  const wanted = Array.from({ length: 2_500 }, (_, i) => `component:default/number-${i}`);
  wanted[0] = 'component:default/cart';
  wanted[1_000] = 'component:default/web';
  wanted[2_499] = 'user:default/ann';
  const { items } = await client.getEntitiesByRefs({ entityRefs: wanted, fields: ['kind', 'metadata.name'] }, as);
  return { length: items.length, found: items.flatMap((e, i) => (e ? [[i, ref(e)]] : [])) };
});
await step('getEntitiesByRefs in chunks by size', async () => {
  const wanted = Array.from({ length: 900 }, (_, i) => `component:default/${'n'.repeat(150)}-${i}`);
  wanted[899] = 'component:default/cart';
  const { items } = await client.getEntitiesByRefs({ entityRefs: wanted, fields: ['kind', 'metadata.name'] }, as);
  return { length: items.length, last: ref(items[899]) };
});
await step('getEntitiesByRefs with filter', async () =>
  refs((await client.getEntitiesByRefs({ entityRefs: ['component:default/cart', 'api:default/cart-api'], filter: { kind: ['api'] } }, as)).items));
await step('getEntitiesByRefs with predicate', async () =>
  refs((await client.getEntitiesByRefs({ entityRefs: ['component:default/cart', 'api:default/cart-api'], query: { kind: 'component' }, filter: { 'spec.owner': 'team-a' } }, as)).items));
await step('getEntityByRef', async () => {
  const e = await client.getEntityByRef('component:default/cart', as);
  return { ref: ref(e), spec: e.spec, relations: e.relations };
});
await step('getEntityByRef with a compound ref', async () => ref(await client.getEntityByRef({ kind: 'Component', namespace: 'default', name: 'CART' }, as)));
await step('getEntityByRef unknown', () => client.getEntityByRef('component:default/unknown', as));
await step('getEntityByName', async () => ref(await client.getEntityByName({ kind: 'component', name: 'web' }, as)));
await step('getEntityAncestors', async () => {
  const { rootEntityRef, items } = await client.getEntityAncestors({ entityRef: 'component:default/nested' }, as);
  return { rootEntityRef, items: items.map(i => [plain(ref(i.entity)), i.parentEntityRefs.map(plain)]) };
});
await step('getEntityAncestors unknown', () => client.getEntityAncestors({ entityRef: 'component:default/unknown' }, as));
await step('getEntityFacets', async () =>
  (await client.getEntityFacets({ filter: [{ kind: 'component' }], facets: ['spec.type', 'metadata.tags', 'relations.ownedBy', 'nothing'] }, as)).facets);
await step('getEntityFacets with a predicate', async () =>
  (await client.getEntityFacets({ query: { $not: { 'spec.type': 'library' } }, filter: components, facets: ['spec.owner'] }, as)).facets);

// Locations

const tools = `${github}/acme/tools/blob/main/tools.yaml`;
const other = `${github}/acme/tools/blob/main/other.yaml`;
let added;
const shown = l => l && { type: l.type, target: l.target.replace(github, ''), same: l.id === added?.id, entityRef: l.entityRef === added?.entityRef };
await step('addLocation dry', async () => {
  const { location, entities, exists } = await client.addLocation({ target: tools, dryRun: true }, as);
  return { exists, target: location.target.replace(github, ''), entities: refs(entities).map(plain) };
});
await step('addLocation dry, of a broken file', () => client.addLocation({ target: `${github}/acme/tools/blob/main/broken.yaml`, dryRun: true }, as));
await step('a dry run stores nothing', async () => (await client.getLocations(undefined, as)).items);
await step('addLocation', async () => {
  const { location, entities, exists } = await client.addLocation({ type: 'url', target: tools }, as);
  added = location;
  return { location: shown(location), entities, exists, id: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(location.id) };
});
await step('addLocation again', () => client.addLocation({ target: tools }, as));
await step('addLocation again, to refresh', async () => {
  const { location, exists } = await client.addLocation({ target: tools, onConflict: 'refresh' }, as);
  return { location: shown(location), exists };
});
await step('addLocation dry, of a known one', async () => (await client.addLocation({ target: tools, dryRun: true }, as)).exists);
await step('addLocation of another type', () => client.addLocation({ type: 'file', target: '/etc/passwd' }, as));
await step('addLocation of no address', () => client.addLocation({ target: 'not a url' }, as));
await step('the location brings its entities', () => eventually(async () => ref(await client.getEntityByRef('component:default/hammer', as))));
await step('getLocations', async () => (await client.getLocations(undefined, as)).items.map(shown));
await step('getLocationById', async () => shown(await client.getLocationById(added.id, as)));
await step('getLocationById unknown', () => client.getLocationById('no-such-id', as));
await step('getLocationByRef', async () => shown(await client.getLocationByRef(`url:${tools}`, as)));
await step('getLocationByRef unknown', () => client.getLocationByRef('url:https://nowhere.test/x', as));
await step('getLocationByEntity', async () => shown(await client.getLocationByEntity('component:default/hammer', as)));
await step('getLocationByEntity unknown', () => client.getLocationByEntity('component:default/unknown', as));
await step('getLocationByEntity that was discovered', () => client.getLocationByEntity('component:default/cart', as));
await step('queryLocations', async () => {
  const { items, totalItems, pageInfo } = await client.queryLocations({ query: { target: { $hasPrefix: github.toUpperCase() } } }, as);
  return { items: items.map(shown), totalItems, pageInfo };
});
await step('queryLocations in pages', async () => {
  const second = (await client.addLocation({ target: `${github}/acme/bare/blob/main/none.yaml` }, as)).location;
  const first = await client.queryLocations({ query: { type: 'url' }, limit: 1 }, as);
  const last = await client.queryLocations({ cursor: first.pageInfo.nextCursor }, as);
  const pages = [];
  for await (const page of client.streamLocations({ limit: 1 }, as)) pages.push(page.length);
  const both = [...first.items, ...last.items].map(l => l.id).sort();
  await client.removeLocationById(second.id, as);
  return { both: JSON.stringify(both) === JSON.stringify([added.id, second.id].sort()), totals: [first.totalItems, last.totalItems], end: last.pageInfo, pages };
});
await step('queryLocations with a bad query', () => client.queryLocations({ query: { nothing: 'x' } }, as));
await step('updateLocation', async () => shown(await client.updateLocation(added.id, { target: other }, as)));
await step('the updated location brings its entities', () => eventually(async () => ref(await client.getEntityByRef('component:default/drill', as))));
await step('the old ones go', () => eventually(async () => (await client.getEntityByRef('component:default/hammer', as)) === undefined));
await step('updateLocation unknown', () => client.updateLocation('00000000-0000-4000-8000-000000000000', { target: other }, as));
await step('removeLocationById', async () => {
  await client.removeLocationById(added.id, as);
  return { location: (await client.getLocationById(added.id, as)) ?? null, gone: await eventually(async () => (await client.getEntityByRef('component:default/drill', as)) === undefined) };
});
await step('removeLocationById again', () => client.removeLocationById(added.id, as));

// Work

await step('refreshEntity', () => client.refreshEntity('component:default/cart', as));
await step('refreshEntity unknown', () => client.refreshEntity('component:default/unknown', as));
await step('removeEntityByUid', async () => {
  const { uid } = (await client.getEntityByRef('component:default/zoo', as)).metadata;
  await client.removeEntityByUid(uid, as);
  const gone = (await client.getEntityByRef('component:default/zoo', as))?.metadata.uid !== uid;
  // A file still declares it, so it comes back, as another entity.
  const another = await eventually(async () => {
    const now = (await client.getEntityByRef('component:default/zoo', as))?.metadata.uid;
    return now !== uid && now;
  });
  return { gone, back: Boolean(another) };
});
await step('removeEntityByUid unknown', () => client.removeEntityByUid('00000000-0000-4000-8000-000000000000', as));
const sound = { apiVersion: 'backstage.io/v1alpha1', kind: 'Component', metadata: { name: 'new' }, spec: { type: 'service', lifecycle: 'production', owner: 'team-a' } };
await step('validateEntity', () => client.validateEntity(sound, `url:${tools}`, as));
await step('validateEntity of an invalid one', () => client.validateEntity({ ...sound, spec: { type: 'service', owner: 'team-a' } }, `url:${tools}`, as));
await step('validateEntity with a bad location', async () => (await client.validateEntity(sound, 'nonsense', as)).valid);
await step('analyzeLocation with descriptors', async () => {
  const { existingEntityFiles, generateEntities } = await client.analyzeLocation({ location: { type: 'url', target: `${github}/acme/broken` } }, as);
  return { existing: existingEntityFiles.map(f => [f.location.target.replace(github, ''), f.isRegistered, plain(ref(f.entity))]), generateEntities };
});
await step('analyzeLocation without', () => client.analyzeLocation({ location: { type: 'url', target: `${github}/acme/bare` } }, as));
await step('analyzeLocation of no address', () => client.analyzeLocation({ location: { type: 'url', target: 'nonsense' } }, as));
