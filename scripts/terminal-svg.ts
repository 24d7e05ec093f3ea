// Draws a recorded terminal session as an animated SVG: lines appear when they came, long sessions scroll, then it begins again.

export interface RecordedLine {
  readonly text: string;
  readonly kind: 'command' | 'output';
  /** Since the beginning, `ms` */
  readonly atMs: number;
}

export interface Recording {
  readonly title: string;
  readonly lines: readonly RecordedLine[];
}

const columns = 100;
const rows = 30;
const charWidth = 7.83;
const lineHeight = 18;
const padding = 14;
const barHeight = 30;
/** The end stays to be read */
const restMs = 6000;

interface Row extends RecordedLine {
  readonly colour: string;
}

export function drawTerminal({ title, lines }: Recording): string {
  const drawn = lines.flatMap(wrap);
  const totalMs = (lines.at(-1)?.atMs ?? 0) + restMs;
  const percent = (ms: number): string => `${((100 * ms) / totalMs).toFixed(2)}%`;
  const moments = [...new Set(drawn.map(({ atMs }) => atMs))];
  const shows = moments.map((ms, index) => `@keyframes m${index}{0%{opacity:0}${percent(ms)}{opacity:1}}`);
  const groups = moments.map((ms, index) => {
    const texts = drawn.flatMap((row, line) => (row.atMs === ms ? [drawRow(row, line)] : []));
    return `<g style="animation-name:m${index}">\n${texts.join('\n')}\n</g>`;
  });
  const scrolls = moments.map((ms) => {
    const shown = drawn.filter(({ atMs }) => atMs <= ms).length;
    return `${percent(ms)}{transform:translateY(${-offsetOf(shown)}px)}`;
  });
  const width = Math.round(columns * charWidth + 2 * padding);
  const height = barHeight + rows * lineHeight + padding;
  const session = lines.map(({ text, kind }) => (kind === 'command' ? `$ ${text}` : text)).join('\n');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title session">
<title id="title">${escapeXml(title)}</title>
<desc id="session">${escapeXml(session)}</desc>
<style>
text{font:13px ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace;white-space:pre}
#screen,#screen g{animation-duration:${totalMs}ms;animation-iteration-count:infinite;animation-timing-function:step-end}
#screen{animation-name:scroll}
@keyframes scroll{0%{transform:translateY(0)}${scrolls.join('')}}
${shows.join('\n')}
@media (prefers-reduced-motion:reduce){#screen,#screen g{animation:none}}
</style>
<clipPath id="window"><rect x="0" y="${barHeight}" width="${width}" height="${height - barHeight - 4}"/></clipPath>
<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>
<text x="${width / 2}" y="20" text-anchor="middle" fill="#8b949e">${escapeXml(title)}</text>
<g clip-path="url(#window)"><g id="screen" transform="translate(0,${-offsetOf(drawn.length)})">
${groups.join('\n')}
</g></g>
</svg>
`;
}

/** How far the screen has gone up with so many lines on it, `px` */
function offsetOf(lineCount: number): number {
  return Math.max(0, lineCount - rows) * lineHeight;
}

function drawRow({ text, colour }: Row, line: number): string {
  const y = barHeight + (line + 1) * lineHeight - 5;
  return text === ''
    ? ''
    : `<text x="${padding}" y="${y}" fill="${colour}" xml:space="preserve">${escapeXml(text)}</text>`;
}

/** Rows of a line, as a terminal breaks it. */
function wrap(line: RecordedLine): Row[] {
  const characters = [...(line.kind === 'command' ? `$ ${line.text}` : line.text)];
  const count = Math.max(1, Math.ceil(characters.length / columns));
  return Array.from({ length: count }, (_, index) => ({
    ...line,
    text: characters.slice(index * columns, (index + 1) * columns).join(''),
    colour: colourOf(line),
  }));
}

const colours: readonly (readonly [RegExp, string])[] = [
  [/^(?:PASS|\+)/, '#7ee787'],
  [/^(?:FAIL|-(?! ))/, '#ff7b72'],
  [/^(?:@@|\[)/, '#8b949e'],
];

function colourOf({ kind, text }: RecordedLine): string {
  if (kind === 'command') return '#79c0ff';
  return colours.find(([pattern]) => pattern.test(text))?.[1] ?? '#c9d1d9';
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
