//! The first pass: counts the parts of a component before they are read.
//!
//! Knows: sections and their items. Must not know: whether they are valid. Attacks answered: structures made to exhaust
//! the next reader (LK01, LK02, LK05).

use std::ops::Range;

use wasmparser::{
    ComponentExternalKind, ComponentInstance, ComponentTypeRef, ElementItems, FunctionBody, Instance, Operator, Payload,
};

use super::InspectError;
use super::nested::{self, parts_of_group};
use bailiwick_core::limits::Limits;

/// What the component imports at its own level.
#[derive(Debug, Clone, Copy)]
pub(super) enum ImportKind {
    Instance,
    Type,
    Other(&'static str),
}

/// A count with its limit.
#[derive(Debug)]
struct Tally {
    limit: &'static str,
    what: &'static str,
    found: u64,
    max: u64,
}

impl Tally {
    const fn new(limit: &'static str, what: &'static str, max: u64) -> Self {
        Self { limit, what, found: 0, max }
    }

    fn add(&mut self, more: impl Into<u64>) -> Result<(), InspectError> {
        self.found = self.found.saturating_add(more.into());
        most(self.limit, self.what, self.found, self.max)
    }
}

/// Refuses a count above its limit.
pub(super) fn most(limit: &'static str, what: &'static str, found: u64, max: u64) -> Result<(), InspectError> {
    if found > max { Err(InspectError::TooMuch { limit, what, found, max }) } else { Ok(()) }
}

/// The first pass: the counts, and the names at the component's own level.
#[derive(Debug)]
pub(super) struct Walk<'l> {
    limits: &'l Limits,
    depth: u64,
    modules: Tally,
    components: Tally,
    functions: Tally,
    types: Tally,
    listed_imports: Tally,
    listed_exports: Tally,
    globals: Tally,
    elements: Tally,
    data: Tally,
    items: Tally,
    custom_bytes: Tally,
    pub(super) imports: Vec<(String, ImportKind)>,
    pub(super) exports: Vec<(&'static str, String)>,
    pub(super) custom: Vec<(String, Range<usize>)>,
}

impl<'l> Walk<'l> {
    /// Counts all parts of a component.
    ///
    /// # Errors
    /// When a count exceeds its limit, or the component cannot be parsed.
    pub(super) fn all(bytes: &[u8], limits: &'l Limits) -> Result<Self, InspectError> {
        let mut walk = Self {
            limits,
            depth: 0,
            modules: Tally::new("core-modules", "core modules", limits.core_modules),
            components: Tally::new("components", "components inside it", limits.components),
            functions: Tally::new("functions", "functions", limits.functions),
            types: Tally::new("types", "types and parts of types", limits.types),
            listed_imports: Tally::new("imports", "imports", limits.imports),
            listed_exports: Tally::new("exports", "exports", limits.exports),
            globals: Tally::new("globals", "globals", limits.globals),
            elements: Tally::new("elements", "elements of tables", limits.elements),
            data: Tally::new("data-segments", "data segments", limits.data_segments),
            items: Tally::new("items", "tables, memories, instances, aliases and the like", limits.items),
            custom_bytes: Tally::new("custom-bytes", "bytes of custom sections", limits.custom_bytes),
            imports: Vec::new(),
            exports: Vec::new(),
            custom: Vec::new(),
        };
        for payload in super::parser().parse_all(bytes) {
            walk.payload(&payload?, bytes)?;
        }
        Ok(walk)
    }

    fn payload(&mut self, payload: &Payload<'_>, bytes: &[u8]) -> Result<(), InspectError> {
        match payload {
            Payload::ModuleSection { .. } => {
                self.depth += 1;
                self.modules.add(1_u64)
            }
            Payload::ComponentSection { .. } => {
                self.depth += 1;
                self.components.add(1_u64)?;
                most("component-depth", "levels of components", self.depth, self.limits.component_depth)
            }
            Payload::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                Ok(())
            }
            Payload::CustomSection(section) => {
                self.custom_bytes.add(section.range().len() as u64)?;
                if self.depth == 0 {
                    self.custom.push((section.name().to_owned(), section.data_offset()..section.range().end));
                }
                Ok(())
            }
            Payload::CodeSectionEntry(body) => check_body(body, self.limits),
            other => self.core(other).and_then(|()| self.component(other, bytes)),
        }
    }

    /// Sections of a core module.
    fn core(&mut self, payload: &Payload<'_>) -> Result<(), InspectError> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section.clone() {
                    self.types.add(parts_of_group(&group?))?;
                }
                Ok(())
            }
            Payload::ImportSection(section) => self.listed_imports.add(section.count()),
            Payload::ExportSection(section) => self.listed_exports.add(section.count()),
            Payload::FunctionSection(section) => self.functions.add(section.count()),
            Payload::GlobalSection(section) => self.globals.add(section.count()),
            Payload::DataSection(section) => self.data.add(section.count()),
            Payload::TableSection(section) => self.items.add(section.count()),
            Payload::MemorySection(section) => self.items.add(section.count()),
            Payload::TagSection(section) => self.items.add(section.count()),
            Payload::ElementSection(section) => {
                for segment in section.clone() {
                    let count = match segment?.items {
                        ElementItems::Functions(items) => items.count(),
                        ElementItems::Expressions(_, items) => items.count(),
                    };
                    self.elements.add(u64::from(count) + 1)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Sections of a component.
    fn component(&mut self, payload: &Payload<'_>, bytes: &[u8]) -> Result<(), InspectError> {
        match payload {
            Payload::ComponentTypeSection(section) => {
                let max = self.limits.type_depth;
                nested::read(bytes, section.range(), max, |parts| self.types.add(parts))
            }
            Payload::CoreTypeSection(section) => {
                for ty in section.clone() {
                    self.types.add(nested::parts_of_core(&ty?))?;
                }
                Ok(())
            }
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    self.items.add(match instance? {
                        Instance::Instantiate { args, .. } => args.len() as u64 + 1,
                        Instance::FromExports(exports) => exports.len() as u64 + 1,
                    })?;
                }
                Ok(())
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    self.items.add(match instance? {
                        ComponentInstance::Instantiate { args, .. } => args.len() as u64 + 1,
                        ComponentInstance::FromExports(exports) => exports.len() as u64 + 1,
                    })?;
                }
                Ok(())
            }
            Payload::ComponentAliasSection(section) => self.items.add(section.count()),
            Payload::ComponentCanonicalSection(section) => self.items.add(section.count()),
            Payload::ComponentImportSection(section) => {
                self.listed_imports.add(section.count())?;
                for import in section.clone().into_iter().filter(|_| self.depth == 0) {
                    let import = import?;
                    self.imports.push((import.name.name.to_owned(), import_kind(import.ty)));
                }
                Ok(())
            }
            Payload::ComponentExportSection(section) => {
                self.listed_exports.add(section.count())?;
                for export in section.clone().into_iter().filter(|_| self.depth == 0) {
                    let export = export?;
                    if export.kind != ComponentExternalKind::Type {
                        self.exports.push((kind_name(export.kind), export.name.name.to_owned()));
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn check_body(body: &FunctionBody<'_>, limits: &Limits) -> Result<(), InspectError> {
    most("body-bytes", "bytes in one function", body.range().len() as u64, limits.body_bytes)?;
    let mut locals = 0;
    for group in body.get_locals_reader()? {
        locals += u64::from(group?.0);
        most("locals", "locals in one function", locals, limits.locals)?;
    }
    for operator in body.get_operators_reader()? {
        if let Operator::BrTable { targets } = operator? {
            most("br-table", "targets of one br_table", u64::from(targets.len()), limits.br_table)?;
        }
    }
    Ok(())
}

fn import_kind(ty: ComponentTypeRef) -> ImportKind {
    match ty {
        ComponentTypeRef::Instance(_) => ImportKind::Instance,
        ComponentTypeRef::Type(wasmparser::TypeBounds::Eq(_)) => ImportKind::Type,
        ComponentTypeRef::Type(wasmparser::TypeBounds::SubResource) => ImportKind::Other("resource"),
        other => ImportKind::Other(kind_name(other.kind())),
    }
}

fn kind_name(kind: ComponentExternalKind) -> &'static str {
    match kind {
        ComponentExternalKind::Module => "module",
        ComponentExternalKind::Func => "function",
        ComponentExternalKind::Value => "value",
        ComponentExternalKind::Type => "type",
        ComponentExternalKind::Instance => "interface",
        ComponentExternalKind::Component => "component",
    }
}
