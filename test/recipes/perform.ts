// Performs a recipe from its page: server and prompt as they stand there, the steps, and whether page and steps agree.
import { executable } from '../support/real-home.ts';
import type { Check } from './check.ts';
import { runCommand } from './command.ts';
import { isWithin, readPage, toolsIn, type UseCasePage } from './page.ts';
import type { HostResult, Recipe, Stage } from './recipe.ts';
import { type Performance, playScene, type RunOptions, type Scene } from './scene.ts';
import { openSession, type Session } from './session.ts';
import { exitResult } from './short-result.ts';

/** Never throws for what goes wrong in the recipe: the report says it. */
export async function perform(recipe: Recipe, options: RunOptions): Promise<Performance> {
  const page = readPage(recipe.page);
  const { name, files, uncommitted } = recipe;
  const request = { name, server: `pyro ${page.server.join(' ')}`, files, uncommitted };
  return await playScene(request, options, async (scene) => {
    const command = { command: executable, args: page.server, env: options.env, cwd: scene.project };
    await using session = await openSession(command, scene.record, options.signal);
    const wanted = await readPrompt(session, page, scene.check);
    await recipe.run(createStage(session, scene, options));
    scene.check('every tool of the page was used, in its order', isWithin(page.tools, session.called), true);
    const foreign = session.called.filter((tool) => !page.tools.includes(tool) && !wanted.includes(tool));
    scene.check('no tool was needed that neither page nor prompt names', foreign, []);
  });
}

/** Names of the tools of the prompt, all of which the server has. */
async function readPrompt(session: Session, page: UseCasePage, check: Check): Promise<readonly string[]> {
  const text = await session.prompt(page.prompt);
  const wanted = toolsIn(text);
  check(
    'the prompt has steps, and all that they need',
    /^1\. /m.test(text) && !text.includes('This server lacks'),
    true,
  );
  const missing = [...wanted, ...page.tools].filter((tool) => !session.tools.includes(tool));
  check('the server has every tool of prompt and page', missing, []);
  return wanted;
}

function createStage({ call, refused }: Session, scene: Scene, { env, signal }: RunOptions): Stage {
  const { project, record, check, named, label } = scene;
  return {
    project,
    create: async (name, labels = {}) =>
      await call('workspace_create', { name: named(name), labels: { ...labels, ...label } }),
    call,
    refused,
    onHost: async (line): Promise<HostResult> => {
      const end = record.begin('on the host', line);
      const { exitCode, output } = await runCommand('sh', ['-c', line], { cwd: project, env, signal });
      end(exitResult(exitCode, output));
      return { exitCode, output };
    },
    check,
  };
}
