//! Inert WASI: a guest that imports all of it learns nothing, waits for nothing and costs nothing (docs/threats.md, LK15).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::support::{program, short, targets};
use bailiwick_core::manifest;
use bailiwick_core::model::{ParamValue, VerbError, WasiGroup, World};
use bailiwick_core::source::Source;
use bailiwick_sandbox::fault::FaultKind;
use bailiwick_sandbox::{
    Ending, ImportError, Limits, Links, LoadError, Outcome, RunEnd, TargetView, Worker, check_imports, inspect,
};

/// The guest, and what links it.
fn guest() -> (Vec<u8>, Links) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests");
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).unwrap_or_else(|error| {
            panic!("{}: {error} (probes/build --workspace tests/guests --out target/guests)", path.display())
        })
    };
    let bytes = read("inert.wasm");
    let text = String::from_utf8(read("inert.toml")).unwrap();
    let manifest = manifest::parse(&Source::embedded("inert.toml", &text)).unwrap();
    let links = check_imports(
        &inspect(&bytes, &Limits::default()).unwrap(),
        manifest.world,
        &manifest.verbs(),
        &manifest.wasi(),
        false,
    )
    .unwrap();
    (bytes, links)
}

/// The same component but for its digest.
fn twin(bytes: &[u8]) -> Vec<u8> {
    [bytes, &[0, 5, 4, b't', b'w', b'i', b'n']].concat()
}

fn asked(behaviour: &str) -> Vec<TargetView> {
    let params = BTreeMap::from([("behaviour".to_owned(), ParamValue::Text(behaviour.to_owned()))]);
    targets().into_iter().map(|view| TargetView { params: params.clone(), ..view }).collect()
}

async fn run_at(now_ms: u64, bytes: &[u8], behaviour: &str, limits: Limits) -> RunEnd {
    let (_, links) = guest();
    let worker = Worker::load(Some(&program()), bytes, &links, limits).await.unwrap();
    let end = worker.run(now_ms, asked(behaviour), async |_| Outcome::Failed(VerbError::Unreachable)).await;
    assert!(worker.is_alive(), "{behaviour} took the worker with it");
    end
}

/// What the guest saw, by code.
async fn observe(now_ms: u64, bytes: &[u8]) -> BTreeMap<String, String> {
    let end = run_at(now_ms, bytes, "observe", short()).await;
    let Ending::Report(report) = end.ending else { panic!("{end:?}") };
    report.findings.into_iter().map(|found| (found.code, found.title.for_encoder().to_owned())).collect()
}

async fn fault(behaviour: &str) -> FaultKind {
    let end = run_at(1, &guest().0, behaviour, Limits { wall_ms: 20_000, ..Limits::default() }).await;
    match end.ending {
        Ending::Fault(fault) => fault.kind,
        other => panic!("{behaviour}: {other:?}"),
    }
}

#[tokio::test]
async fn lk15_inert_wasi_shows_nothing_of_this_machine() {
    let seen = observe(1_763_812_800_123, &guest().0).await;
    let random = ["random", "random-number", "insecure", "seed"];
    let (_, fixed): (BTreeMap<_, _>, BTreeMap<_, _>) =
        seen.iter().partition(|(code, _)| random.contains(&code.as_str()));
    insta::assert_debug_snapshot!(fixed);
}

#[tokio::test]
async fn lk15_random_is_the_runs_own_and_the_same_again() {
    let (bytes, _) = guest();
    let seen = observe(1_000, &bytes).await;
    assert_eq!(seen, observe(1_000, &bytes).await, "a replay differs");
    let (later, twin) = (observe(2_000, &bytes).await, observe(1_000, &twin(&bytes)).await);
    for code in ["random", "random-number", "insecure", "seed"] {
        assert_ne!(seen[code], later[code], "{code}: two runs share it");
        assert_ne!(seen[code], twin[code], "{code}: two components share it");
    }
}

#[tokio::test]
async fn lk15_gr10_inert_wasi_is_bounded_like_any_call() {
    let host_bytes = FaultKind::HostBytes(16 << 20);
    assert_eq!(fault("random-gib").await, host_bytes);
    assert_eq!(fault("random-all").await, host_bytes);
    assert_eq!(fault("random-loop").await, host_bytes);
    assert_eq!(fault("number-loop").await, FaultKind::Calls(100_000));
    // More pollables than handles.
    assert_eq!(fault("pollables").await, FaultKind::CanonicalAbi);
}

#[tokio::test]
async fn lk15_gr13_output_goes_nowhere() {
    let end = run_at(1, &guest().0, "stdout-flood", Limits::default()).await;
    let Ending::Report(report) = &end.ending else { panic!("{end:?}") };
    assert_eq!(report.findings[0].title.for_encoder(), "12000");
    assert!(end.logs.is_empty() && end.logs_dropped == 0, "{end:?}");
}

#[tokio::test]
async fn lk15_waiting_for_a_clock_that_stands_still_is_a_fault() {
    assert_eq!(fault("sleep").await, FaultKind::Waits);
    assert_eq!(fault("poll").await, FaultKind::Waits);
    assert_eq!(fault("exit").await, FaultKind::Exited);
    assert_eq!(fault("exit-with-code").await, FaultKind::Exited);
}

#[tokio::test]
async fn lk10_lk11_wasi_is_what_the_manifest_says_and_no_more() {
    let (bytes, links) = guest();
    let component = inspect(&bytes, &Limits::default()).unwrap();
    let check = |groups: &[WasiGroup]| {
        check_imports(&component, World::Probe, &BTreeSet::new(), &groups.iter().copied().collect(), false)
    };
    assert_eq!(check(WasiGroup::ALL), Ok(links.clone()));
    for group in WasiGroup::ALL {
        let fewer: Vec<_> = WasiGroup::ALL.iter().copied().filter(|other| other != group).collect();
        assert_eq!(check(&fewer), Err(ImportError::WasiNotAskedFor(vec![*group])));
    }
    // Without the check, what is not in the list would still not exist: interface by interface and function by
    // function.
    let refused = async |links: &Links| {
        let loaded = Worker::load(Some(&program()), &bytes, links, Limits::default()).await;
        matches!(loaded, Err(LoadError::NotLoaded { .. }))
    };
    for (interface, functions) in &links.wasi {
        for function in functions {
            let mut fewer = links.clone();
            fewer.wasi.get_mut(interface).unwrap().remove(function);
            assert!(refused(&fewer).await, "{interface} {function} is linked and was not requested");
        }
    }
    let mut files = links.clone();
    files.wasi.entry("wasi:filesystem/preopens@0.2.12".to_owned()).or_default().insert("get-directories".to_owned());
    assert!(refused(&files).await, "there is something behind wasi:filesystem");
}

/// A usual host: wasmtime's own WASI, with nothing granted.
struct Others {
    ctx: wasmtime_wasi::WasiCtx,
    table: wasmtime::component::ResourceTable,
}

impl wasmtime_wasi::WasiView for Others {
    fn ctx(&mut self) -> wasmtime_wasi::WasiCtxView<'_> {
        wasmtime_wasi::WasiCtxView { ctx: &mut self.ctx, table: &mut self.table }
    }
}

/// What the guest sees in such a host, by code.
fn look_elsewhere(bytes: &[u8]) -> wasmtime::Result<BTreeMap<String, String>> {
    use wasmtime::component::{Component, Linker, Resource, ResourceTable, ResourceType, Val};
    struct Handle;
    let engine = wasmtime::Engine::default();
    let mut linker: Linker<Others> = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    linker.instance("bailiwick:ops/types@0.1.0")?.resource("target", ResourceType::host::<Handle>(), |_, _| Ok(()))?;
    linker.instance("bailiwick:ops/params@0.1.0")?.func_new("get", |mut store, _, arguments, results| {
        if let Some(Val::Resource(target)) = arguments.first() {
            target.resource_drop(&mut store)?;
        }
        let text = Val::Variant("text".to_owned(), Some(Box::new(Val::String("observe".to_owned()))));
        results[0] = Val::Option(Some(Box::new(text)));
        Ok(())
    })?;
    let ctx = wasmtime_wasi::WasiCtxBuilder::new().build();
    let mut store = wasmtime::Store::new(&engine, Others { ctx, table: ResourceTable::new() });
    let instance = linker.instantiate(&mut store, &Component::from_binary(&engine, bytes)?)?;
    let examine = instance.get_func(&mut store, "examine").expect("it is a probe");
    let target = Resource::<Handle>::new_own(1).try_into_resource_any(&mut store)?;
    let mut results = [Val::Bool(false)];
    examine.call(&mut store, &[Val::List(vec![Val::Resource(target)])], &mut results)?;
    let [Val::Result(Ok(Some(report)))] = &results else { panic!("{results:?}") };
    let Val::Record(report) = &**report else { panic!("{report:?}") };
    let (_, Val::List(findings)) = &report[0] else { panic!("{report:?}") };
    let text = |fields: &[(String, Val)], name: &str| match fields.iter().find(|(field, _)| field == name) {
        Some((_, Val::String(text))) => text.clone(),
        other => panic!("{other:?}"),
    };
    let seen = findings.iter().map(|finding| match finding {
        Val::Record(fields) => (text(fields, "code"), text(fields, "title")),
        other => panic!("{other:?}"),
    });
    Ok(seen.collect())
}

/// Ours is written by hand. A guest sees the same as with wasmtime's own when nothing is granted, except for time and random.
#[test]
fn lk15_inert_wasi_is_what_wasmtimes_own_shows_with_nothing_granted() {
    let (bytes, _) = guest();
    let theirs = look_elsewhere(&bytes).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ours = runtime.block_on(observe(1, &bytes));
    assert_eq!(Vec::from_iter(ours.keys()), Vec::from_iter(theirs.keys()));
    for code in ["arguments", "environment", "cwd", "stdin", "stdin-skip", "splice", "terminals", "terminal-stderr"] {
        assert_eq!(ours[code], theirs[code], "{code}");
    }
}
