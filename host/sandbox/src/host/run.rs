//! `types`, `clock`, `log`, `params`, `slots`, `calls`: what a run knows about itself. Only notes for the journal
//! leave the worker.

use wasmtime::component::{Linker, Resource, ResourceType};

use crate::imports::interface_name;
use crate::run::RunState;
use crate::wire::{LogLevel, SlotEntry};
use bailiwick_bindings::Target;
use bailiwick_bindings::ops::{log::Level, params::Value, slots::Entry};
use bailiwick_core::model::ParamValue;

/// Links them all: every component may import them.
pub(super) fn link(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    let mut types = linker.instance(&interface_name("types"))?;
    types.resource("target", ResourceType::host::<Target>(), |_, _| Ok(()))?;
    types.func_wrap("[method]target.name", |mut store, (target,): (Resource<Target>,)| {
        store.data_mut().local()?;
        let name = store.data().target(&target)?.name.as_str().to_owned();
        store.data_mut().charge(name.len())?;
        Ok((name,))
    })?;
    linker.instance(&interface_name("clock"))?.func_wrap("now-ms", |mut store, ()| {
        store.data_mut().local()?;
        Ok((store.data().now_ms(),))
    })?;
    linker.instance(&interface_name("log"))?.func_wrap("write", |mut store, (level, text): (Level, String)| {
        store.data_mut().local()?;
        Ok(store.data_mut().log(level.into(), &text)?)
    })?;
    linker.instance(&interface_name("params"))?.func_wrap(
        "get",
        |mut store, (target, name): (Resource<Target>, String)| {
            store.data_mut().local()?;
            let value = store.data().target(&target)?.params.get(&name).cloned();
            store.data_mut().charge(value.as_ref().map_or(0, param_bytes))?;
            Ok((value.map(param),))
        },
    )?;
    linker.instance(&interface_name("slots"))?.func_wrap(
        "entries",
        |mut store, (target, slot): (Resource<Target>, String)| {
            store.data_mut().local()?;
            let entries = store.data().target(&target)?.slots.get(&slot).cloned().unwrap_or_default();
            store.data_mut().charge(entries.iter().map(|e| 16 + e.key.len() + e.literal.len()).sum())?;
            Ok((entries.into_iter().map(Entry::from).collect::<Vec<_>>(),))
        },
    )?;
    linker.instance(&interface_name("calls"))?.func_wrap("last", |mut store, ()| {
        store.data_mut().local()?;
        Ok((store.data().calls(),))
    })
}

fn param_bytes(value: &ParamValue) -> usize {
    match value {
        ParamValue::Number(_) | ParamValue::Flag(_) => 8,
        ParamValue::Text(text) => text.len(),
        ParamValue::Texts(texts) => texts.iter().map(|text| 8 + text.len()).sum(),
    }
}

fn param(value: ParamValue) -> Value {
    match value {
        ParamValue::Number(number) => Value::Number(number),
        ParamValue::Text(text) => Value::Text(text),
        ParamValue::Flag(flag) => Value::Flag(flag),
        ParamValue::Texts(texts) => Value::Texts(texts),
    }
}

impl From<SlotEntry> for Entry {
    fn from(entry: SlotEntry) -> Self {
        Self { key: entry.key, literal: entry.literal }
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warning => Self::Warning,
        }
    }
}
