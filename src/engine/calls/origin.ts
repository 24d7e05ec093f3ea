// Which workspaces came from a folder of the host.
import { checkoutAround, withoutLinks } from '../../system/checkout.ts';

/** True for a seed path that is the folder or a parent of it, within the checkout if the folder is in one. */
export async function seedsAround(folder: string): Promise<(seedPath: string | null) => boolean> {
  const real = await withoutLinks(folder);
  const top = (await checkoutAround(real)) ?? '/';
  return (seedPath) => seedPath !== null && contains(seedPath, real) && contains(top, seedPath);
}

function contains(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith('/') ? outer : `${outer}/`);
}
