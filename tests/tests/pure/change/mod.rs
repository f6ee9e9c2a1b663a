//! Changes against targets in memory: what is checked before a change, what stops one, and what holds under every fault.

mod check;
mod rules;
mod theorems;
