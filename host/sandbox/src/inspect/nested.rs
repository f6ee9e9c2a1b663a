//! Types that nest in one another, read level by level and never by recursion.
//!
//! Attack answered (LK05): a component type inside a component type inside a component type. The parser of wasmparser recurses
//! for each level without a bound: 3 MiB of levels would end the process, which is the broker. A component that passed here is
//! shallow enough for it.

use std::ops::Range;

use wasmparser::{
    BinaryReader, ComponentAlias, ComponentDefinedType, ComponentExternName, ComponentImport, ComponentType,
    ComponentTypeRef, CoreType, RecGroup,
};

use super::walk::most;
use super::{FEATURES, InspectError};

/// The markers of a component's type and of an instance's type.
const COMPONENT: u8 = 0x41;
const INSTANCE: u8 = 0x42;

/// Reads a section of component types and calls `count` for every type, declaration and part of one.
///
/// # Errors
/// When it cannot be read, `count` refuses, or a type has more than `depth_max` levels.
pub(super) fn read(
    bytes: &[u8],
    section: Range<usize>,
    depth_max: u64,
    mut count: impl FnMut(u64) -> Result<(), InspectError>,
) -> Result<(), InspectError> {
    let start = section.start;
    let mut reader = BinaryReader::new_features(bytes.get(section).unwrap_or_default(), start, FEATURES);
    // The number of items that are still to be read at each level: types at the first, declarations at the others.
    let mut levels = vec![reader.read_var_u32()?];
    while let Some(left) = levels.last_mut() {
        let Some(fewer) = left.checked_sub(1) else {
            levels.pop();
            continue;
        };
        *left = fewer;
        count(1)?;
        if levels.len() > 1 && !declares_a_type(&mut reader, &mut count)? {
            continue;
        }
        let mut ahead = reader.clone();
        if let COMPONENT | INSTANCE = ahead.read_u8()? {
            levels.push(ahead.read_var_u32()?);
            most("type-depth", "levels of types", levels.len() as u64 - 1, depth_max)?;
            reader = ahead;
        } else {
            count(parts(&reader.read()?))?;
        }
    }
    Ok(())
}

/// Reads a declaration in a component's or an instance's type. It stops before a nested type.
fn declares_a_type(
    reader: &mut BinaryReader<'_>,
    count: &mut impl FnMut(u64) -> Result<(), InspectError>,
) -> Result<bool, InspectError> {
    let offset = reader.original_position();
    match reader.read_u8()? {
        0x00 => count(parts_of_core(&reader.read()?))?,
        0x01 => return Ok(true),
        0x02 => {
            reader.read::<ComponentAlias<'_>>()?;
        }
        0x03 => {
            reader.read::<ComponentImport<'_>>()?;
        }
        0x04 => {
            reader.read::<ComponentExternName<'_>>()?;
            reader.read::<ComponentTypeRef>()?;
        }
        other => {
            return Err(InspectError::Invalid { offset, message: format!("{other:#04x} begins no declaration") });
        }
    }
    Ok(false)
}

/// Fields, cases and parameters.
fn parts(ty: &ComponentType<'_>) -> u64 {
    let parts = match ty {
        ComponentType::Defined(ComponentDefinedType::Record(fields)) => fields.len(),
        ComponentType::Defined(ComponentDefinedType::Variant(cases)) => cases.len(),
        ComponentType::Defined(ComponentDefinedType::Tuple(types)) => types.len(),
        ComponentType::Defined(ComponentDefinedType::Flags(names) | ComponentDefinedType::Enum(names)) => names.len(),
        ComponentType::Func(function) => function.params.len(),
        _ => 0,
    };
    parts as u64
}

/// Declarations of a module's type.
pub(super) fn parts_of_core(ty: &CoreType<'_>) -> u64 {
    match ty {
        CoreType::Rec(group) => parts_of_group(group),
        CoreType::Module(declarations) => declarations.len() as u64 + 1,
    }
}

/// Types of a group, with their parameters and results.
pub(super) fn parts_of_group(group: &RecGroup) -> u64 {
    let parts = |ty: &wasmparser::SubType| match &ty.composite_type.inner {
        wasmparser::CompositeInnerType::Func(function) => function.params().len() + function.results().len(),
        wasmparser::CompositeInnerType::Struct(fields) => fields.fields.len(),
        _ => 0,
    };
    group.types().map(|ty| parts(ty) as u64 + 1).sum()
}
