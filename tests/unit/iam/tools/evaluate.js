// Answers JSON Lines {"policy", "requests": [...]} with a line of effects each, by an IAM simulator that others wrote.
import { createInterface } from 'node:readline';
import { loadPolicy } from './node_modules/@cloud-copilot/iam-policy/dist/esm/index.js';
import { anonymousPrincipal } from './node_modules/@cloud-copilot/iam-simulate/dist/esm/index.js';
// Its public entry looks requests up in lists of actions and keys first; these are the parts that judge a policy.
import { DiscoveryContextKeyConstraints } from './node_modules/@cloud-copilot/iam-simulate/dist/esm/context_keys/discoveryContextKeyConstraints.js';
import { authorize } from './node_modules/@cloud-copilot/iam-simulate/dist/esm/core_engine/CoreSimulatorEngine.js';
import { AwsRequestImpl } from './node_modules/@cloud-copilot/iam-simulate/dist/esm/request/request.js';
import { RequestContextImpl } from './node_modules/@cloud-copilot/iam-simulate/dist/esm/requestContext.js';

const USER = 'arn:aws:iam::123456789012:user/example';
const EFFECTS = { Allowed: 'allow', ExplicitlyDenied: 'explicit_deny', ImplicitlyDenied: 'implicit_deny' };
// What the caller's own policies say, in the account that the resource is in. A session policy is left out: it limits
// what a policy grants to the session itself only here, not by AWS's documentation.
const OWN = {
  allow: { identityPolicies: ['all'] },
  silent: { identityPolicies: [] },
  limited: { identityPolicies: [], permissionBoundaries: ['nothing'] },
};
const load = (document, name) => loadPolicy(document, { name });
const ALLOW_ALL = load({ Version: '2012-10-17', Statement: { Effect: 'Allow', Action: '*', Resource: '*' } }, 'all');

const NOTHING = load({ Version: '2012-10-17', Statement: { Effect: 'Allow', Action: 'nosuch:Thing', Resource: '*' } }, 'nothing');
const NAMED = { all: ALLOW_ALL, nothing: NOTHING };

function own(said) {
  const { identityPolicies, permissionBoundaries } = OWN[said];
  return {
    identityPolicies: identityPolicies.map((name) => NAMED[name]),
    permissionBoundaries: permissionBoundaries?.map((name) => NAMED[name]),
  };
}

function effect(policy, isResourcePolicy, { principal, action, resource, context, own_policies }) {
  // A resource policy is judged as seen from another account, whose identity policy allows all: then it alone decides.
  const caller = principal === '*' ? anonymousPrincipal : principal ?? USER;
  const foreign = isResourcePolicy && !own_policies;
  const accountId = foreign ? '999999999999' : own_policies ? caller.split(':')[4] : '123456789012';
  const { result } = authorize({
    request: new AwsRequestImpl(caller, { resource, accountId }, action, new RequestContextImpl(context)),
    identityPolicies: [isResourcePolicy ? ALLOW_ALL : policy],
    resourcePolicy: isResourcePolicy ? policy : undefined,
    ...(own_policies ? own(own_policies) : {}),
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    simulationParameters: {
      simulationMode: 'Strict',
      discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([]),
    },
    serviceSettings: { s3: {} },
  });
  return EFFECTS[result] ?? result;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { policy, requests } = JSON.parse(line);
  const isResourcePolicy = [policy.Statement].flat().some((s) => 'Principal' in s || 'NotPrincipal' in s);
  const loaded = load(policy, 'policy');
  const answers = requests.map((request) => {
    try {
      return effect(loaded, isResourcePolicy, request);
    } catch (error) {
      return `error: ${error.message}`;
    }
  });
  process.stdout.write(JSON.stringify(answers) + '\n');
}
