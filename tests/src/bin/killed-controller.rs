//! The controller that a test of the gate kills: it applies one change, and dies at the request that its arguments name.
//!
//! Its arguments: state folder, gate, plan, whether the change works, number of the request, `before` or `during` it.

use std::fs;

use anyhow::{Context, Result, bail};
use bailiwick_change::Plan;
use bailiwick_change::remote_gate::RemoteGate;
use bailiwick_change::store::Store;
use bailiwick_tests::change::controller::Controller;
use bailiwick_tests::change::faulty::{Fault, Faulty};
use bailiwick_tests::change::script::{FixedVerifier, ScriptTransport, die};

#[expect(clippy::print_stdout, reason = "the test shows it where the controller was not killed")]
fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [state, script, plan, works, call, moment] = words.as_slice() else { bail!("{words:?}") };
    let now = jiff::Timestamp::now().to_string();
    let controller = Controller::reopen(state.as_ref(), "[change]\nverify-seconds = 5\ndead-man-seconds = 600\n", &now);
    let (plan, _) = Plan::read(&fs::read(plan)?).context("a plan")?;
    let call: u32 = call.parse()?;
    let mut transport = ScriptTransport::at(vec!["/usr/bin/dash".to_owned()], script.clone(), None);
    if moment == "during" {
        transport.die_in = Some(call);
    }
    let store = Store::at(controller.folder());
    let mut gate = Faulty::new(RemoteGate::new(transport, store), Fault::None);
    if moment == "before" {
        // Counts requests: a new connection is not a request.
        let mut requests = 0;
        gate.before = Some(Box::new(move |_, name| {
            requests += u32::from(name != "renew");
            if requests == call && name != "renew" {
                die();
            }
        }));
    }
    let mut verifier = FixedVerifier { works: works == "true" };
    let list = plan.gate.clone();
    let mut log = controller.log();
    let request = controller.request.clone();
    let outcome = controller.apply_with(&mut log, (&mut gate, &mut verifier), &plan, &request, |admission| {
        admission.current.gate = Some(list)
    });
    println!("{outcome:?}");
    Ok(())
}
