// Every page of Parapet and the way to it, for the pictures and for what must hold on each.

/** A link's address, found on the page at `from`. */
async function hrefOn(page, demo, from, selector) {
  await page.goto(demo.url + from);
  const href = await page.locator(selector).first().getAttribute('href');
  if (!href) throw new Error(`${from} has no ${selector}`);
  return href;
}

/**
 * Resolves the pages of a signed-in session to `[{ name, path }]`. Ids come from the pages themselves: a page that no
 * link leads to would not be found, by us or by anybody.
 */
export async function allPages(page, demo) {
  const one = (from, selector) => hrefOn(page, demo, from, selector);
  const application = await one('/applications', '.tile a.more');
  const settings = await one(application, 'a.gear');
  const reauthenticate = `${application}/reauthenticate`;
  return [
    { name: 'applications', path: '/applications' },
    { name: 'applications-list', path: '/applications?layout=list' },
    { name: 'application', path: application },
    { name: 'application-findings', path: `${application}/findings` },
    { name: 'application-accounts', path: `${application}/accounts` },
    { name: 'application-plugins', path: `${application}/plugins` },
    { name: 'drift', path: `${application}/drift` },
    { name: 'history', path: `${application}/history` },
    { name: 'settings', path: settings },
    { name: 'reauthenticate', path: reauthenticate },
    { name: 'add-application', path: '/applications/add' },
    { name: 'add-github', path: await one('/applications/add', 'main a[href*="/applications/add/github"]') },
    { name: 'findings', path: '/findings' },
    { name: 'finding', path: await one('/findings', 'main table a[href^="/findings/"]') },
    { name: 'accounts', path: '/accounts' },
    { name: 'account', path: await one('/accounts', 'main table a[href*="/accounts/"]') },
    { name: 'plugins', path: '/plugins' },
    { name: 'plugin', path: await one('/plugins', 'main table a[href*="/plugins/"]') },
    { name: 'people', path: '/people' },
    { name: 'plugins-across', path: '/plugins/across' },
    { name: 'plugins-users', path: '/plugins/users' },
    { name: 'exceptions', path: '/exceptions' },
    { name: 'identity-providers', path: '/identity-providers' },
    { name: 'checks', path: '/checks' },
    { name: 'check', path: await one('/checks', 'main table a[href^="/checks/"]') },
    { name: 'owners', path: '/owners' },
    { name: 'notifications', path: '/settings/notifications' },
    { name: 'digest', path: '/settings/notifications/digest' },
    { name: 'audit', path: '/audit' },
  ];
}
