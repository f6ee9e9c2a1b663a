//! The plan checker by property: every edit that makes another plan of a sound plan is refused or changes its digest.

use bailiwick_change::check::{Constraints, STEPS_MAX, Violation, check};
use bailiwick_change::store::{Store, StoreError};
use bailiwick_change::{Plan, PlanError};
use bailiwick_core::model::{ActionId, ChangeId, Inverse, State, Tainted};
use bailiwick_tests::change::plans::{every, file, plan, write};
use proptest::prelude::*;

fn constraints(plan: &Plan) -> Constraints {
    let granted = plan.steps.iter().map(|step| (step.action.clone(), step.change.clone())).collect();
    Constraints { granted, ..Constraints::default() }
}

fn any_plan() -> impl Strategy<Value = Plan> {
    (0..every().len()).prop_map(|index| every().swap_remove(index))
}

fn inverse() -> impl Strategy<Value = Inverse> {
    prop_oneof![Just(Inverse::Restore), Just(Inverse::Revert), Just(Inverse::Undo), Just(Inverse::Again)]
}

fn state() -> impl Strategy<Value = State> {
    let word = || prop_oneof![Just("active"), Just("inactive"), Just("failed"), Just("enabled"), Just("disabled")];
    prop_oneof![
        Just(State::Absent),
        Just(file("old")),
        Just(file("new")),
        Just(file("x\n")),
        (word(), word()).prop_map(|(a, b)| State::Unit { active: a.to_owned(), enabled: b.to_owned() }),
        Just(State::Container { status: "running".to_owned() }),
        any::<bool>().prop_map(|done| State::Command { done }),
    ]
}

/// What fails is found again by its seed; no file is kept of it.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_sound_plan_passes_and_every_step_has_its_inverse(plan in any_plan()) {
        prop_assert_eq!(check(&plan, &constraints(&plan)), Ok(()));
        prop_assert!(plan.steps.iter().all(|step| step.inverse == step.change.inverse()));
    }

    #[test]
    fn ph06_a_step_that_is_not_granted_is_refused(plan in any_plan(), at in 0_usize..16) {
        let mut constraints = constraints(&plan);
        let step = &plan.steps[at % plan.steps.len()];
        constraints.granted.remove(&step.action);
        let wrong = check(&plan, &constraints).unwrap_err();
        let named = wrong.iter().any(|wrong| matches!(wrong, Violation::NotGranted { .. }));
        prop_assert!(named, "{:?}", wrong);
    }

    #[test]
    fn ag11_a_never_rule_wins_over_a_grant(plan in any_plan(), at in 0_usize..16) {
        let mut constraints = constraints(&plan);
        let step = &plan.steps[at % plan.steps.len()];
        constraints.withheld.insert(step.action.clone(), "policy.toml:31".to_owned());
        let wrong = check(&plan, &constraints).unwrap_err();
        let named = wrong.iter().any(|wrong| matches!(wrong, Violation::Never { .. }));
        prop_assert!(named, "{:?}", wrong);
    }

    #[test]
    fn ch03_a_step_with_another_inverse_is_refused(plan in any_plan(), at in 0_usize..16, other in inverse()) {
        let mut edited = plan.clone();
        let index = at % plan.steps.len();
        prop_assume!(edited.steps[index].inverse != other);
        edited.steps[index].inverse = other;
        prop_assert!(check(&edited, &constraints(&plan)).is_err());
    }

    #[test]
    fn a_step_between_other_states_is_another_plan(
        plan in any_plan(), at in 0_usize..16, before in state(), after in state(),
    ) {
        let mut edited = plan.clone();
        let step = &mut edited.steps[at % plan.steps.len()];
        (step.before, step.after) = (before, after);
        // A step that passes leads from one state of its object to another, or makes it read again.
        let pairs: Vec<_> = edited.steps.iter().map(|step| (step.before.clone(), step.after.clone(), step.inverse)).collect();
        if check(&edited, &constraints(&plan)).is_ok() {
            for (before, after, inverse) in pairs {
                prop_assert!(before != after || inverse == Inverse::Again, "{before} -> {after}");
                let kind = |state: &State| match state { State::Absent | State::File { .. } => 0, State::Unit { .. } => 1, State::Container { .. } => 2, State::Command { .. } => 3 };
                prop_assert_eq!(kind(&before), kind(&after));
            }
        }
    }

    #[test]
    fn what_another_open_change_holds_is_left_alone(plan in any_plan(), at in 0_usize..16) {
        let mut constraints = constraints(&plan);
        let object = plan.steps[at % plan.steps.len()].change.object();
        constraints.in_use.insert(object, ChangeId::new("c-other").unwrap());
        let wrong = check(&plan, &constraints).unwrap_err();
        let named = wrong.iter().any(|wrong| matches!(wrong, Violation::InUse { .. }));
        prop_assert!(named, "{:?}", wrong);
    }

    #[test]
    fn an_object_twice_is_refused(plan in any_plan(), at in 0_usize..16) {
        let mut edited = plan.clone();
        edited.steps.push(plan.steps[at % plan.steps.len()].clone());
        prop_assert!(check(&edited, &constraints(&plan)).is_err());
    }

    #[test]
    fn ag03_a_plan_edited_on_the_disk_is_not_a_plan(plan in any_plan(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let name = store.keep(&plan).unwrap();
        prop_assert_eq!(store.plan(&name).unwrap(), (plan, name.clone()));
        let path = folder.path().join("plans").join(format!("{name}.json"));
        let mut bytes = std::fs::read(&path).unwrap();
        let index = at.index(bytes.len());
        bytes[index] ^= 1 << bit;
        std::fs::write(&path, bytes).unwrap();
        prop_assert!(matches!(store.plan(&name), Err(StoreError::NotItsName(_))));
    }
}

#[test]
fn ph07_a_plan_is_its_bytes_and_no_others() {
    for plan in every() {
        let bytes = plan.bytes().unwrap();
        let (read, digest) = Plan::read(&bytes).unwrap();
        assert_eq!((&read, digest), (&plan, bailiwick_change::digest(&bytes)));
        let text = String::from_utf8(bytes).unwrap();
        for other in
            [text.replacen("\":", "\": ", 1), text.trim_end().to_owned(), format!("{text}\n"), format!(" {text}")]
        {
            assert!(matches!(Plan::read(other.as_bytes()), Err(PlanError::NotCanonical)), "{other}");
        }
        let other = text.replace("bailiwick.plan/1", "bailiwick.plan/2");
        assert!(matches!(Plan::read(other.as_bytes()), Err(PlanError::Format(_))));
        let more = text.replacen("{\"format\"", "{\"and\":1,\"format\"", 1);
        assert!(matches!(Plan::read(more.as_bytes()), Err(PlanError::Syntax(_))));
    }
}

#[test]
fn every_bound_of_a_plan_holds() {
    let sound = plan("many", (0..STEPS_MAX).map(|n| write(&format!("/etc/{n}"), None, "x")).collect());
    // One action's name for all of them would be another change.
    let named = |mut plan: Plan| {
        for (n, step) in plan.steps.iter_mut().enumerate() {
            step.action = serde_json::from_value::<ActionId>(format!("files-change.write:/etc/{n}=x").into()).unwrap();
        }
        plan
    };
    let sound = named(sound);
    assert_eq!(check(&sound, &constraints(&sound)), Ok(()));
    let one_more = named(plan("many", (0..=STEPS_MAX).map(|n| write(&format!("/etc/{n}"), None, "x")).collect()));
    type Edit = (&'static str, fn(&mut Plan));
    let edits: [Edit; 9] = [
        ("no step", |plan| plan.steps.clear()),
        ("no finding", |plan| plan.raised.clear()),
        ("no intent", |plan| plan.contract.intent = " ".to_owned()),
        ("no constraints", |plan| plan.contract.constraints.clear()),
        ("a long rationale", |plan| plan.contract.rationale = "x".repeat(201)),
        ("no context", |plan| plan.contract.context = Tainted::new("")),
        ("a digest that is none", |plan| plan.component = "A".repeat(64)),
        ("a proof less", |plan| plan.proof.truncate(plan.proof.len() - 1)),
        ("a picture that is too large", |plan| plan.steps[0].shown = Tainted::new("x".repeat((64 << 10) + 1))),
    ];
    assert!(check(&one_more, &constraints(&one_more)).is_err());
    for (what, edit) in edits {
        let mut edited = sound.clone();
        edit(&mut edited);
        assert!(check(&edited, &constraints(&sound)).is_err(), "{what}");
    }
    // Files that are kept: 16 MiB of them.
    let mut large = sound.clone();
    large.steps[0].before = State::File { sha256: "a".repeat(64), bytes: (16 << 20) + 1, mode: 0o644, uid: 0, gid: 0 };
    assert!(check(&large, &constraints(&sound)).is_err());
    // Owner and mode stay.
    let mut owner = sound.clone();
    owner.steps[0].before = State::File { sha256: "a".repeat(64), bytes: 3, mode: 0o600, uid: 0, gid: 0 };
    assert!(check(&owner, &constraints(&sound)).is_err());
}

#[test]
fn ag07_a_name_is_one_plan_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path());
    let name = store.keep(&every().swap_remove(0)).unwrap();
    assert!(store.plan(&name[..8]).is_ok());
    for odd in
        ["", "*", "all", &name[..7], &name.to_uppercase(), &format!("{name}0"), "../plans", "/etc/passwd", "a/b", "\0"]
    {
        assert!(matches!(store.plan(odd), Err(StoreError::NoPlan(_) | StoreError::NotADigest(_))), "{odd:?}");
    }
}

#[test]
fn ag10_a_rule_that_covers_less_than_it_seems_is_refused() {
    let parse =
        |text: &str| bailiwick_policy::policy::parse(&bailiwick_core::source::Source::embedded("policy.toml", text));
    let window = |rest: &str| format!("[[window]]\n{rest}");
    for wrong in [
        "[change]\nper-day = 0".to_owned(),
        "[change]\nper-day = 1000".to_owned(),
        "[change]\nperday = 1".to_owned(),
        "[change]\nzone = \"Mars\"".to_owned(),
        "[change]\nverify-seconds = 700\ndead-man-seconds = 600".to_owned(),
        "[changes]\nper-day = 1".to_owned(),
        window("on = []\nfrom = \"09:00\"\nto = \"10:00\""),
        window("from = \"09:00\"\nto = \"10:00\""),
        window("on = [\"a\"]\nfrom = \"9\"\nto = \"10:00\""),
        window("on = [\"a\"]\nfrom = \"09:00\"\nto = \"09:00\""),
        window("on = [\"a\"]\ndays = []\nfrom = \"09:00\"\nto = \"10:00\""),
        window("on = [\"a\"]\ndays = [\"someday\"]\nfrom = \"09:00\"\nto = \"10:00\""),
        "[[calendar]]\nwhat = \"\"\non = [\"a\"]\nat = \"06:00\"\nminutes = 60".to_owned(),
        "[[calendar]]\nwhat = \"x\"\non = [\"a\"]\nat = \"06:00\"\nminutes = 0".to_owned(),
    ] {
        assert!(parse(&wrong).is_err(), "{wrong}");
    }
}
