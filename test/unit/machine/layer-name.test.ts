// The name of a layer, whichever way QEMU tells it.
import { expect, it } from 'vitest';
import { layerName } from '../../../src/machine/layers.ts';

it.each([
  ['/state/w/disk-0a.qcow2', 'disk-0a.qcow2'],
  [
    'json:{"backing": {"driver": "qcow2", "file": {"driver": "file", "filename": "/state/w/disk-0a.qcow2"}}, "driver": "qcow2", "file": {"driver": "file", "filename": "/state/w/disk-1b.qcow2"}}',
    'disk-1b.qcow2',
  ],
])('of %s is %s', (told, name) => {
  expect(layerName(told)).toBe(name);
});

it.each(['json:{"driver": "qcow2"}', 'json:{', '', '/state/w/a"b', '/state/w/workspace.json', '/w/base.qcow2'])(
  'of %s is refused',
  (told) => {
    expect(() => layerName(told)).toThrow(expect.objectContaining({ code: 'qemu_failed' }));
  },
);
