//! Tests that need nothing but this checkout: tables, files, words, plans and journals, in this process.

#![cfg(test)]

mod arrows;
mod catalogue;
mod change;
mod files;
mod gate_script;
mod generated;
mod grant;
mod grant_change;
mod history;
mod identifiers;
mod journal;
mod library;
mod phrases;
mod reference;
mod tree;
mod wit;
mod words;
