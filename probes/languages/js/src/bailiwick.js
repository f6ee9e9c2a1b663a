// What a probe needs besides its verbs. Yours to read and change; nothing else is behind it.
import calls from "bailiwick:ops/calls@0.1.0";
import params from "bailiwick:ops/params@0.1.0";
import slots from "bailiwick:ops/slots@0.1.0";

/** The run could not look: not the same as "all is well". */
export class CouldNotLook extends Error {
  constructor(reason, error = null, call = null) {
    super(reason);
    this.error = error;
    this.call = call;
  }
}

/** Asks a verb: `{ value, call }`. What is not caught ends the run, with the verb's error as its reason. */
export function ask(name, verb) {
  try {
    return { value: verb(), call: calls.last() };
  } catch (error) {
    // A verb's error comes as an exception that carries its name. Anything else is a mistake in here, and ends the run.
    if (typeof error.payload !== "string") throw error;
    throw new CouldNotLook(`${name}: ${error.payload}`, error.payload, calls.last());
  }
}

/** A number that the operator may set; the manifest has its default. */
export function number(target, name) {
  const value = params.get(target, name);
  if (value?.tag !== "number") throw new CouldNotLook(`there is no number ${name}`);
  return value.val;
}

/** What the operator bound to a slot: `{ key, literal }`. Verbs take the key, people read the literal. */
export function slot(target, name) {
  const [entry] = slots.entries(target, name);
  if (entry === undefined) throw new CouldNotLook(`nothing is bound to slot ${name}`);
  return entry;
}

/** A finding. `metrics` are `[name, value, unit]`, `because` the answers (or failures) it rests on. */
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

/** The component's one export: looks at each target of the run. */
export function probe(look) {
  return (targets) => {
    try {
      const findings = targets.flatMap((target) =>
        look(target).map((it) =>
          targets.length > 1 ? { ...it, subject: `${target.name()} ${it.subject}`.trim() } : it,
        ),
      );
      return { findings };
    } catch (error) {
      if (!(error instanceof CouldNotLook)) throw error;
      throw { reason: error.message, error: error.error, call: error.call };
    }
  };
}
