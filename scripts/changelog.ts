// Turns the changelog's section of what is to come into that of a release, and opens the next one.

export interface Release {
  /** The whole changelog */
  readonly changelog: string;
  /** What the release brings, for its page: the section without its heading */
  readonly notes: string;
}

const heading = /^## (\S+)(.*)$/gm;
const versionForm = /^\d+\.\d+\.\d+(?:-(?:alpha|beta|rc)\.\d+)?$/;

/** Names the section at the top after the version that it becomes. Throws when it is none of what is to come, or empty. */
export function release(changelog: string, version: string, date: string): Release {
  if (!versionForm.test(version))
    throw new Error(`${version} is no version of a release: give one as 5.0.0 or 5.0.0-rc.1`);
  const headings = [...changelog.matchAll(heading)];
  const [top, next] = headings;
  if (top === undefined || !/-dev$/.test(top[1] ?? ''))
    throw new Error('the changelog has no section of what is to come at its top: "## X.Y.Z-dev"');
  if (headings.some(([, name]) => name === version)) throw new Error(`the changelog has a section ${version} already`);
  const start = top.index + top[0].length;
  const notes = withoutEmptyParts(changelog.slice(start, next?.index)).trim();
  if (!/^- /m.test(notes)) throw new Error(`the section ${top[1]} of the changelog has no entry`);
  const rest = next === undefined ? '' : `\n${changelog.slice(next.index)}`;
  return { changelog: `${changelog.slice(0, top.index)}## ${version} (${date})\n\n${notes}\n${rest}`, notes };
}

/** Puts an empty section for the version that comes next above all others. */
export function openNext(changelog: string, version: string): string {
  const top = [...changelog.matchAll(heading)].at(0);
  if (top === undefined) throw new Error('the changelog has no section');
  if (/-dev$/.test(top[1] ?? '')) throw new Error(`the changelog has a section of what is to come: ${top[1]}`);
  return `${changelog.slice(0, top.index)}## ${version}-dev\n\n### New\n\n${changelog.slice(top.index)}`;
}

/** Headings below which nothing was written go. */
function withoutEmptyParts(section: string): string {
  return section.replaceAll(/^### .*\n\s*(?=^### |(?![\s\S]))/gm, '');
}
