import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/build';
import { useStack } from '../support/stack';

/** Blocks of the README that begin with `<!-- test: <name> -->`, and the text block that says what they print, if one follows. */
const BLOCKS = [...readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/<!-- test: (?<name>[\w-]+) -->\s*```bash\n(?<script>[\s\S]*?)```(?:\s*```text\n(?<output>[\s\S]*?)```)?/g)]
  .map(({ groups }) => ({ name: groups!['name']!, script: groups!['script']!, output: groups!['output'] ?? '' }));

describe('the README', () => {
  const world = useStack({ demo: true });

  it('has a quick start that is tested', () => { expect(BLOCKS.map(({ name }) => name)).toContain('quickstart'); });

  it.each(BLOCKS.map(block => [block.name, block] as const))('%s: its lines run against a started stack and print what it says', (_, { script, output }) => {
    const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-euo', 'pipefail', '-c', script], {
      cwd: ROOT, encoding: 'utf8', timeout: 60_000, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', AIFIRST_URL: world.stack.url, DATA_DIR: world.stack.dataDir },
    });
    if (status !== 0) throw new Error(`it ended with ${status}:\n${stdout}${stderr}`);
    const printed = stdout.split('\n');
    for (const line of output.split('\n').filter(text => text.trim() !== '')) expect(printed).toContain(line);
  });
});
