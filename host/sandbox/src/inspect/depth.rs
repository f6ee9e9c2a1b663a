//! Limits the depth of a component's types. A list of records of lists has four levels.
//!
//! Knows: types that have been found valid. Attack answered (LK05): types that refer to one another to a depth at which
//! code that walks through them recurses as deep, above all the compiler of adapters. The reader's own limit is 100.

use std::collections::HashMap;

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentEntityType, ComponentItem, ComponentValType,
};
use wasmparser::types::TypesRef;

use super::InspectError;
use super::walk::most;

/// Known depths, so that each type is visited once, however often it is referred to.
pub(super) struct Depth {
    max: u64,
    known: HashMap<ComponentAnyTypeId, u64>,
}

impl Depth {
    pub(super) fn new(max: u64) -> Self {
        Self { max, known: HashMap::new() }
    }

    /// Checks every type of a component, including imported, exported and aliased types.
    ///
    /// # Errors
    /// When one is too deep.
    pub(super) fn check(&mut self, types: TypesRef<'_>) -> Result<(), InspectError> {
        for index in 0..types.component_type_count() {
            self.any(types, types.component_any_type_at(index), 1)?;
        }
        Ok(())
    }

    /// The depth of a type at a level. Stops at the first level that is too deep, so its recursion is limited.
    fn any(&mut self, types: TypesRef<'_>, id: ComponentAnyTypeId, level: u64) -> Result<u64, InspectError> {
        let known = self.known.get(&id).copied();
        most("type-depth", "levels of types", level + known.map_or(0, |depth| depth - 1), self.max)?;
        if let Some(depth) = known {
            return Ok(depth);
        }
        let mut deepest = 0;
        let mut values: Vec<ComponentValType> = Vec::new();
        let mut items: Vec<&ComponentItem> = Vec::new();
        match id {
            ComponentAnyTypeId::Resource(_) => {}
            ComponentAnyTypeId::Defined(id) => values.extend(types.get(id).map(inside).unwrap_or_default()),
            ComponentAnyTypeId::Func(id) => {
                let function = types.get(id);
                values.extend(function.iter().flat_map(|f| f.params.iter().map(|(_, ty)| *ty).chain(f.result)));
            }
            ComponentAnyTypeId::Instance(id) => items.extend(types.get(id).iter().flat_map(|ty| ty.exports.values())),
            ComponentAnyTypeId::Component(id) => {
                items.extend(types.get(id).iter().flat_map(|ty| ty.imports.values().chain(ty.exports.values())));
            }
        }
        values.extend(items.iter().filter_map(|item| match item.ty {
            ComponentEntityType::Value(value) => Some(value),
            _ => None,
        }));
        let through_values = values.into_iter().filter_map(|value| match value {
            ComponentValType::Primitive(_) => None,
            ComponentValType::Type(id) => Some(ComponentAnyTypeId::Defined(id)),
        });
        let through_items = items.into_iter().filter_map(|item| entity(&item.ty));
        for id in through_values.chain(through_items) {
            deepest = deepest.max(self.any(types, id, level + 1)?);
        }
        self.known.insert(id, deepest + 1);
        Ok(deepest + 1)
    }
}

fn entity(ty: &ComponentEntityType) -> Option<ComponentAnyTypeId> {
    match ty {
        ComponentEntityType::Func(id) => Some(ComponentAnyTypeId::Func(*id)),
        ComponentEntityType::Type { referenced, .. } => Some(*referenced),
        ComponentEntityType::Instance(id) => Some(ComponentAnyTypeId::Instance(*id)),
        ComponentEntityType::Component(id) => Some(ComponentAnyTypeId::Component(*id)),
        ComponentEntityType::Module(_) | ComponentEntityType::Value(_) => None,
    }
}

/// The types that a type is made of.
fn inside(ty: &ComponentDefinedType) -> Vec<ComponentValType> {
    match ty {
        ComponentDefinedType::Record(record) => record.fields.values().copied().collect(),
        ComponentDefinedType::Variant(variant) => variant.cases.values().filter_map(|case| case.ty).collect(),
        ComponentDefinedType::List { element, .. } | ComponentDefinedType::FixedLengthList { element, .. } => {
            vec![*element]
        }
        ComponentDefinedType::Map { key, value, .. } => vec![*key, *value],
        ComponentDefinedType::Tuple(tuple) => tuple.types.to_vec(),
        ComponentDefinedType::Option { ty, .. } => vec![*ty],
        ComponentDefinedType::Result { ok, err, .. } => ok.iter().chain(err).copied().collect(),
        ComponentDefinedType::Future { ty, .. } | ComponentDefinedType::Stream { ty, .. } => {
            ty.iter().copied().collect()
        }
        ComponentDefinedType::Primitive(_)
        | ComponentDefinedType::Flags(_)
        | ComponentDefinedType::Enum(_)
        | ComponentDefinedType::Own(_)
        | ComponentDefinedType::Borrow(_) => Vec::new(),
    }
}
