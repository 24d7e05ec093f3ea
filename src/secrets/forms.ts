// The byte sequences under which a secret shows up: itself, and what the usual encodings make of it.

/** Shortest value that can be told from ordinary output, `bytes` */
export const shortestSecret = 6;
export const longestSecret = 65_536;

/** Every form to look for, longest first, without doubles. */
export function secretForms(value: Buffer): Buffer[] {
  const text = value.toString('utf8');
  const isText = Buffer.from(text).equals(value);
  const texts = isText ? [JSON.stringify(text).slice(1, -1), asciiJson(text), ...urlForms(text)] : [];
  const encoded = [...texts, ...base64Forms(value), value.toString('hex'), value.toString('hex').toUpperCase()];
  const forms = [value, ...encoded.map((form) => Buffer.from(form))];
  const unique = new Map(
    forms.filter((form) => form.length >= shortestSecret).map((form) => [form.toString('latin1'), form]),
  );
  return [...unique.values()].sort((a, b) => b.length - a.length);
}

function urlForms(text: string): string[] {
  const encoded = encodeURIComponent(text);
  // encodeURIComponent leaves some signs that stricter encoders do not.
  const strict = encoded.replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  const forms = [encoded, strict, strict.replaceAll('%20', '+')];
  return [...forms, ...forms.map((form) => form.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()))];
}

/** JSON as encoders write it that keep to ASCII. */
function asciiJson(text: string): string {
  return JSON.stringify(text)
    .slice(1, -1)
    .replace(/[\u007f-\uffff]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Within a longer text the value begins at one of three places in a group; only what does not depend on neighbours counts. */
function base64Forms(value: Buffer): string[] {
  const forms: string[] = [];
  for (const lead of [0, 1, 2]) {
    const whole = Buffer.concat([Buffer.alloc(lead), value]);
    const text = whole.toString('base64').replaceAll('=', '');
    const from = [0, 2, 3][lead] ?? 0;
    const to = whole.length % 3 === 0 ? text.length : text.length - 1;
    const stable = text.slice(from, to);
    forms.push(stable, stable.replaceAll('+', '-').replaceAll('/', '_'));
    if (lead === 0) forms.push(...wrapped(stable));
  }
  return forms;
}

/** As `base64` and `openssl base64` break the lines of a long value, also at a terminal. */
function wrapped(text: string): string[] {
  return [64, 76].flatMap((width) => {
    if (text.length <= width) return [];
    const lines = text.match(new RegExp(`.{1,${width}}`, 'g')) ?? [];
    return [lines.join('\n'), lines.join('\r\n')];
  });
}
