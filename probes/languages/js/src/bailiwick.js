// Helper functions for probes. Yours to read and change; there is no other library.
import calls from "bailiwick:ops/calls@0.1.0";
import params from "bailiwick:ops/params@0.1.0";
import slots from "bailiwick:ops/slots@0.1.0";

/** The run could not check, which differs from "ok". */
export class CouldNotCheck extends Error {
  constructor(reason, error = null, call = null) {
    super(reason);
    this.error = error;
    this.call = call;
  }
}

/** Calls a verb: `{ value, call }`. An uncaught error ends the run, with the verb's error as the reason. */
export function ask(name, verb) {
  try {
    return { value: verb(), call: calls.last() };
  } catch (error) {
    // A verb's error is an exception with its name. Any other exception is a bug in this component, and ends the run.
    if (typeof error.payload !== "string") throw error;
    throw new CouldNotCheck(`${name}: ${error.payload}`, error.payload, calls.last());
  }
}

/** A number parameter: the operator's value, or the default in the manifest. */
export function number(target, name) {
  const value = params.get(target, name);
  if (value?.tag !== "number") throw new CouldNotCheck(`parameter ${name} is not declared as a number`);
  return value.val;
}

/** The entry of a slot: `{ key, literal }`. Verbs take the key; findings show the literal. */
export function slot(target, name) {
  const [entry] = slots.entries(target, name);
  if (entry === undefined) throw new CouldNotCheck(`nothing is bound to slot ${name}`);
  return entry;
}

/** A finding. `metrics` are `[name, value, unit]`, `because` the answers (or failures) that it is based on. */
export function finding(code, severity, subject, title, { metrics = [], because = [] } = {}) {
  return {
    code,
    severity,
    subject,
    title,
    metrics: metrics.map(([name, value, unit]) => ({ name, value, unit })),
    evidence: because.map(({ call }) => call),
  };
}

/** The component's one export: checks each target of the run. */
export function probe(check) {
  return (targets) => {
    try {
      const findings = targets.flatMap((target) =>
        check(target).map((it) =>
          targets.length > 1 ? { ...it, subject: `${target.name()} ${it.subject}`.trim() } : it,
        ),
      );
      return { findings };
    } catch (error) {
      if (!(error instanceof CouldNotCheck)) throw error;
      throw { reason: error.message, error: error.error, call: error.call };
    }
  };
}
