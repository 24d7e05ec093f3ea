// Draws curves over time as one SVG of panels, each with its own scale, its bound and its names.

export interface Curve {
  readonly name: string;
  readonly points: readonly (readonly [seconds: number, value: number])[];
}

export interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly curves: readonly Curve[];
  /** A line that nothing should cross */
  readonly bound?: number;
}

const width = 880;
const height = 170;
const left = 64;
const right = 170;
const top = 26;
const bottom = 22;
const colours = ['#2563eb', '#dc2626', '#16a34a', '#9333ea', '#d97706', '#0891b2'];
const ticks = 4;

/** `marks` are moments with a word, `s`. */
export function drawPanels(
  title: string,
  panels: readonly Panel[],
  marks: readonly (readonly [number, string])[],
): string {
  const last = Math.max(1, ...panels.flatMap(({ curves }) => curves.flatMap(({ points }) => points.map(([at]) => at))));
  const whole = panels.length * height + 30;
  const body = panels.map(
    (panel, index) => `<g transform="translate(0,${30 + index * height})">\n${drawPanel(panel, last, marks)}\n</g>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${whole}" width="${width}" height="${whole}" role="img" aria-labelledby="title">
<title id="title">${escapeXml(title)}</title>
<style>text{font:11px system-ui,sans-serif;fill:#374151}.h{font-weight:600;fill:#111827}.grid{stroke:#e5e7eb}.mark{stroke:#9ca3af;stroke-dasharray:2 3}.bound{stroke:#dc2626;stroke-dasharray:6 3}polyline{fill:none;stroke-width:1.3}</style>
<rect width="${width}" height="${whole}" fill="#fff"/>
<text x="${left}" y="20" class="h">${escapeXml(title)}</text>
${body.join('\n')}
</svg>
`;
}

function drawPanel(
  { title, unit, curves, bound }: Panel,
  last: number,
  marks: readonly (readonly [number, string])[],
): string {
  const values = curves.flatMap(({ points }) => points.map(([, value]) => value));
  const most = niceAbove(Math.max(1, bound ?? 0, ...values));
  const x = (at: number): string => (left + ((width - left - right) * at) / last).toFixed(1);
  const y = (value: number): string => (height - bottom - ((height - top - bottom) * value) / most).toFixed(1);
  const parts = [`<text x="${left}" y="${top - 8}" class="h">${escapeXml(title)}, ${escapeXml(unit)}</text>`];
  for (let tick = 0; tick <= ticks; tick++) {
    const value = (most * tick) / ticks;
    parts.push(`<line x1="${left}" x2="${width - right}" y1="${y(value)}" y2="${y(value)}" class="grid"/>`);
    parts.push(
      `<text x="${left - 6}" y="${Number(y(value)) + 4}" text-anchor="end">${Number(value.toFixed(2))}</text>`,
    );
    const at = (last * tick) / ticks;
    parts.push(`<text x="${x(at)}" y="${height - 6}" text-anchor="middle">${(at / 60).toFixed(1)} min</text>`);
  }
  for (const [at, word] of marks) {
    parts.push(`<line x1="${x(at)}" x2="${x(at)}" y1="${top}" y2="${height - bottom}" class="mark"/>`);
    parts.push(`<text x="${Number(x(at)) + 3}" y="${top + 8}">${escapeXml(word)}</text>`);
  }
  if (bound !== undefined) {
    parts.push(`<line x1="${left}" x2="${width - right}" y1="${y(bound)}" y2="${y(bound)}" class="bound"/>`);
  }
  for (const [index, { name, points }] of curves.entries()) {
    const colour = colours[index % colours.length];
    parts.push(
      `<polyline stroke="${colour}" points="${points.map(([at, value]) => `${x(at)},${y(value)}`).join(' ')}"/>`,
    );
    const line = top + 8 + index * 15;
    parts.push(
      `<line x1="${width - right + 10}" x2="${width - right + 26}" y1="${line - 4}" y2="${line - 4}" stroke="${colour}" stroke-width="2"/>`,
    );
    parts.push(`<text x="${width - right + 31}" y="${line}">${escapeXml(name)}</text>`);
  }
  return parts.join('\n');
}

/** The next number above that is easy to divide by four. */
export function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 8, 10].map((factor) => factor * power).find((nice) => nice >= value) ?? 10 * power;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
