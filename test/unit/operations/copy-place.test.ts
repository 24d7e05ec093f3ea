// The places of a copy: what is a workspace's and what is this machine's.
import { homedir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { readCopyWords } from '../../../src/operations/copy-place.ts';
import { absolutePlace } from '../../../src/operations/host-path-input.ts';

describe('a word is of a workspace when a colon stands before any slash', () => {
  it.each([
    ['6f1e:out/a.txt', '6f1e', ':out/a.txt'],
    [':out', undefined, ':out'],
    ['bug:', 'bug', ':'],
    [':', undefined, ':'],
    ['my bug:/etc/hosts', 'my bug', ':/etc/hosts'],
    ['bug:a:b', 'bug', ':a:b'],
    ['C:/Users', 'C', ':/Users'],
    ['bug:a\nb', 'bug', ':a\nb'],
  ])('%j', (word, workspace, place) => {
    expect(readCopyWords(word, 'here')).toEqual({ source: place, target: 'here', workspace });
    expect(readCopyWords('-', word)).toEqual({ source: '-', target: place, workspace });
  });

  it.each(['./a:b', '/a:b', 'a/b:c', '~/a:b', '.', '..', '-', 'C:\\Users\\me', 'plain'])(
    '%j is of this machine',
    (word) => {
      expect(readCopyWords(word, 'bug:x')).toEqual({ source: word, target: ':x', workspace: 'bug' });
    },
  );
});

describe('a name with a slash is understood where no other side is of a workspace', () => {
  it.each([
    ['fix/login:out', 'fix/login', ':out'],
    ['team/fix/login:', 'team/fix/login', ':'],
    ['fix/login:a/b:c', 'fix/login', ':a/b:c'],
  ])('%j', (word, workspace, place) => {
    expect(readCopyWords(word, '.')).toEqual({ source: place, target: '.', workspace });
    expect(readCopyWords('./a:b', word)).toEqual({ source: './a:b', target: place, workspace });
  });

  it('unless it may be either', () => {
    expect(() => readCopyWords('fix/a:x', 'fix/b:y')).toThrow(/either of fix\/a:x and fix\/b:y/);
    expect(() => readCopyWords('../a:x', '/b:y')).toThrow(/both on this machine/);
    expect(() => readCopyWords('~/a:x', './b:y')).toThrow(/both on this machine/);
  });
});

it('exactly one side is in a workspace', () => {
  expect(() => readCopyWords('a', 'b')).toThrow(/a and b are both on this machine/);
  expect(() => readCopyWords('C:\\a', './b:c')).toThrow(/both on this machine/);
  expect(() => readCopyWords('x:a', 'y:b')).toThrow(/both in a workspace/);
});

describe('a place of this machine is made absolute, with its end', () => {
  it.each([
    ['a', '/base/a'],
    ['a/', '/base/a/'],
    ['a/.', '/base/a/.'],
    ['.', '/base/.'],
    ['./', '/base/'],
    ['..', '/'],
    ['/', '/'],
    ['~/x', `${homedir()}/x`],
    ['./a:b', '/base/a:b'],
    ['-', '-'],
    [':a/', ':a/'],
  ])('%j', (word, place) => {
    expect(absolutePlace(word, '/base')).toBe(place);
  });
});
