import type { Consumer, MessageBus, Subscription } from '@aifirst/bus';
import type { PolicyQuestions, ServiceQuery } from '@aifirst/contracts';
import { TOPICS } from '@aifirst/contracts';
import type { Log } from '@aifirst/store';
import type { PolicyService } from '../application/policy-service';

export const POLICY_GROUP = 'policy.decisions';

/** The policy service on its bus, answering other services' questions. `start` before anybody asks. */
export class PolicyModule {
  private consumer: Consumer | null = null;

  constructor(private readonly service: PolicyService, private readonly log: Log, private readonly bus: MessageBus, private readonly query: ServiceQuery) {}

  async start(): Promise<void> {
    await this.service.start();
    answerQuestions(this.service, this.query);
    this.consumer = await this.bus.subscribe(subscriptionOf(this.service, this.log));
  }

  async stop(): Promise<void> {
    await this.consumer?.stop();
    await this.service.stop();
  }

  lag(): number { return this.consumer?.lag() ?? 0; }
}

export const subscriptionOf = (service: PolicyService, log: Log): Subscription => ({
  group: POLICY_GROUP, topics: [TOPICS.decisionCommands], from: () => log.positions(), handle: batch => service.handle(batch),
});

type Questions = PolicyQuestions;
type Answers = { readonly [Q in keyof Questions]: (asked: Questions[Q][0]) => Promise<Questions[Q][1]> };

/** Every question of `PolicyQuestions`, so that one that is forgotten does not compile. */
export function answersOf({ roles, policies, controls, decisions }: PolicyService): Answers {
  return {
    putRole: asked => roles.put(asked),
    getRole: asked => roles.get(asked),
    listRoles: asked => roles.list(asked),
    deleteRole: asked => roles.delete(asked),
    missingRoles: asked => roles.missing(asked),
    putPolicy: asked => policies.put(asked),
    getPolicy: asked => policies.get(asked),
    listPolicies: asked => policies.list(asked),
    deletePolicy: asked => policies.delete(asked),
    validatePolicy: asked => policies.validate(asked),
    activatePolicy: asked => policies.activate(asked),
    policySchema: asked => policies.schema(asked),
    putKillSwitch: asked => controls.putSwitch(asked),
    getKillSwitch: asked => controls.getSwitch(asked),
    listKillSwitches: asked => controls.listSwitches(asked),
    deleteKillSwitch: asked => controls.liftSwitch(asked),
    applyPrincipal: asked => controls.applyPrincipal(asked),
    controlState: asked => controls.state(asked),
    decidePlan: asked => decisions.tryOut(asked),
    decideRollback: ({ tenant, workflow, by }) => decisions.decideRollback(tenant, workflow, by),
  };
}

export function answerQuestions(service: PolicyService, query: ServiceQuery): void {
  for (const [question, answer] of Object.entries(answersOf(service))) query.answer('policy', question, answer as (asked: unknown) => Promise<unknown>);
}
